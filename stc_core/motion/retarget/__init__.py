"""Retargeting: a motion put on another armature, with its feet held on the floor."""
