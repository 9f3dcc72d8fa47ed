"""Ground floor: what every room means by a file, a moment in time and one person."""
