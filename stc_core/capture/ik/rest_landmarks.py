"""Where landmarks sit on the canonical humanoid at rest: metres in the axes of their joint, left side.

From the humanoid's own proportions (motion.skeleton.HUMANOID), chosen once for a body 1.7 m tall.
"""

import numpy as np

CROWN, NOSE, EAR = np.array([0.0, 0.0, 0.18]), np.array([0.0, -0.11, 0.04]), np.array([0.075, 0.0, 0.05])
"""from the head's joint"""
HEEL, TOE = np.array([0.0, 0.05, -0.06]), np.array([0.0, -0.18, -0.06])
"""from the ankle"""
SOLE_HEIGHT_M = 0.02
"""the toes' joint over the floor"""
KNUCKLE_DISTANCE_M = 0.085
"""from the wrist to the middle of index and little finger's knuckles"""
EAR_MIDPOINT = EAR * (0.0, 1.0, 1.0)
"""the middle between the ears, from the head's joint"""
