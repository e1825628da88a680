"""Other people's rigs: what they call their bones (data), and how to read a rig's names, tree and shape."""
