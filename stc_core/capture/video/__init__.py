"""Video files: which are read at all, when their frames are shown, and the frames."""
