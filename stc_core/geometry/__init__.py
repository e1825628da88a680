"""Rotations and other geometry on whole arrays: numpy only."""
