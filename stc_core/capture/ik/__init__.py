"""Inverse kinematics: landmark positions to a skeleton and its joint rotations."""
