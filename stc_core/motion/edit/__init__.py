"""Edits of finished animations on whole arrays: fewer keys, mirrored, looped. numpy only; knows no Blender."""
