# SPDX-License-Identifier: GPL-3.0-or-later
"""Armatures: what a motion becomes in Blender."""
