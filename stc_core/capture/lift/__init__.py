"""Lifting: landmarks in the image to joints in space, by a network."""
