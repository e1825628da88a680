"""One thread for PyTorch: the tests' networks are tiny, and threads that wait for each other are slower."""

try:
    import torch
except ModuleNotFoundError:  # in a Blender's own Python, for tests/blender
    pass
else:
    torch.set_num_threads(1)
