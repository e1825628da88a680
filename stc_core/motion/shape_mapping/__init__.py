"""Other people's faces: what they call their shape keys (data), and which of ARKit's coefficients drives which key."""
