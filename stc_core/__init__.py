"""STC Mocap's core: one ordinary video of a person becomes a motion. Knows nothing of Blender."""

__version__ = "0.1.0"
