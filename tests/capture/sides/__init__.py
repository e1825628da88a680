"""Tests of stc_core/capture/sides."""
