"""Training data: readers of each data set, and the shards that they are packed into."""
