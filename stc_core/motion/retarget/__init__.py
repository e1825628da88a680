"""A motion put on another armature."""
