"""Ground floor: what every room means by a moment in time and by one person."""
