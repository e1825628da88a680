"""Inverse kinematics: landmark positions to joint rotations of the canonical humanoid."""
