"""From the points of the hands to the rotations of wrists and fingers."""
