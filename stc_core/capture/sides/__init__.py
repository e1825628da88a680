"""Left and right exchanged by the detector: found over time and undone."""
