"""Teaching the network: data, cameras, noise, the training loop. Nothing imports this package."""
