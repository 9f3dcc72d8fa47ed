"""A team's own table: which role each column has, and how the file is read.

The names below are imported on first use: importing this package loads neither
pandas nor NumPy.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
