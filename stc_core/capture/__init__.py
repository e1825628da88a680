"""How a video becomes a motion: one file a stage, ordered by `pipeline`."""
