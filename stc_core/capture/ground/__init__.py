"""Grounding: from camera axes to a world with a floor, a camera above it and feet that stand still."""
