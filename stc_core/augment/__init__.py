"""Training samples from motion: windows, virtual cameras, the detector's errors."""
