"""Camera motion: whether the camera moves, and how, by what the background does across the picture."""
