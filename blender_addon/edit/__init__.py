# SPDX-License-Identifier: GPL-3.0-or-later
"""Edits of the action that an armature plays: fewer keys, IK controls, a layer for hand edits, mirror, loop."""
