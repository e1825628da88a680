"""One thread for PyTorch: the tests' networks are tiny, and threads that wait for each other are slower."""

import importlib.util

if importlib.util.find_spec("torch"):  # an environment of bpy alone has none
    import torch

    torch.set_num_threads(1)
