"""The network: its definition and its files."""
