"""Geometry on whole arrays, numpy only: rotations, Euler angles, alignment, two-bone inverse kinematics, easing."""
