# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine: the Python environment with torch and MediaPipe that the add-on starts."""
