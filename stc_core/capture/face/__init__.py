"""The face: from the coefficients that were seen in the picture to those of an animation, and the head's rotation."""
