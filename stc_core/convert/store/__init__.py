"""Where conversions are kept: the records and results of a folder, local or at a URL."""
