"""Tools for authors; they are not part of the package that is installed."""
