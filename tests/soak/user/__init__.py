"""A user before a real viewer with our three docks, and what must never be seen."""
