"""How good networks and captures are."""
