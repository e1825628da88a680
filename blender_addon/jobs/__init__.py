# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes that the add-on starts, followed through files."""
