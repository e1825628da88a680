"""Clips whose truth is known: a rendered body moves past a known camera."""
