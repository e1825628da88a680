"""Whom no training may see: the subjects that networks are evaluated on.

Knows names of subjects in prepared data; not who reads them.
"""

HELD_OUT_SUBJECTS = tuple(
    "cmu_07 cmu_09 cmu_13 cmu_14 prmd_s09 prmd_s10 "
    "accad_male2 eyes_japan_a eyes_japan_b cmu_60 cmu_61 rocketbox_f "
    "cmu_expmap_jumping cmu_expmap_directing_traffic cmu_expmap_basketball_signal cmu_expmap_running".split()
)
"""people and whole sources; also the unnamed takes of cmu_expmap, which may be of the held-out subjects"""
