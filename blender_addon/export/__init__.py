# SPDX-License-Identifier: GPL-3.0-or-later
"""Motions exported as FBX, GLB and USD, without a window."""
