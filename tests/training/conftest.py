"""Data to train on, in the form that `prepare` writes."""

from pathlib import Path

import numpy as np
import pytest

from stc_core.capture.layout import BODY27
from stc_core.datasets import dataset_plan, shard_writer
from tests import synthetic


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two made walkers, one of them a person that is held out, in the form that `prepare` writes."""
    folder = tmp_path_factory.mktemp("data")
    walk = synthetic.body27(synthetic.walk(fps=30.0, seconds=4.0)).astype(np.float32)
    clips = [dataset_plan.ShardClip("a", "cmu_01", 30.0, walk), dataset_plan.ShardClip("b", "cmu_07", 30.0, walk * 0.8)]
    shard_writer.write_clips(folder / "made", dataset_plan.DatasetInfo("made", "made", BODY27.name, "bodies"), clips)
    return folder
