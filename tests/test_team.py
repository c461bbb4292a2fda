"""Several processes train as one would with all of the batch."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage import data

from napari_colorgan.checkpoints.metadata import Metadata
from napari_colorgan.checkpoints.store import Checkpoint, load, save
from napari_colorgan.errors import BadSetting
from napari_colorgan.job import finish
from napari_colorgan.models import GeneratorSpec, build
from napari_colorgan.training.fine_tune import fine_tune_job
from napari_colorgan.training.pairs import Pair, pairs_of
from napari_colorgan.training.settings import FineTuneConfig
from napari_colorgan.training.state import read_state
from napari_colorgan.training.team import ALONE, Team, joined

OPTIONS = {"widths": [8, 8, 8, 8], "alternatives": True}
CONFIG = FineTuneConfig(
    steps=4,
    patch=64,
    batch=4,
    gan_phase=0.5,
    discriminator_width=4,
    precision="float32",
)


def pictures() -> list[Pair]:
    """Four small pairs, one of which counts in a part only."""
    color = data.immunohistochemistry()
    mask = np.zeros((96, 96), bool)
    mask[:, :30] = True
    masks = (None, mask, None, None)
    made = []
    for number, mask in enumerate(masks):
        part = color[:96, number * 96 : number * 96 + 96]
        made += pairs_of(part, name=str(number), mask=mask)
    return made


def train(team: Team, folder: Path) -> None:
    """Train some steps, and keep what this process has at the end."""
    leads = {"out": folder / "model.safetensors"} if team.leads else {}
    job = fine_tune_job(
        pictures(),
        folder / "start.safetensors",
        CONFIG,
        device="cpu",
        team=team,
        **leads,
    )
    save(finish(job).last, folder / f"{team.number}.safetensors")


def test_two_processes_learn_what_one_learns_from_the_joint_batch(tmp_path):
    torch.manual_seed(0)
    about = Metadata(generator="compact", options=OPTIONS)
    start = Checkpoint(about, build(GeneratorSpec("compact", OPTIONS)).state_dict())
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        save(start, tmp_path / folder / "start.safetensors")
    torchrun = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    subprocess.run(
        [sys.executable, "-m", *torchrun, __file__, tmp_path / "two"],
        check=True,
        timeout=120,
    )
    train(ALONE, tmp_path / "one")
    one, two = (read_state(tmp_path / name / "model.state") for name in ("one", "two"))
    losses = [np.array(state["history"]["losses"]) for state in (one, two)]
    assert len(losses[0]) == CONFIG.steps
    assert np.allclose(*losses, rtol=1e-4)
    for name, weight in one["trainer"]["generator"].items():
        assert torch.allclose(weight, two["trainer"]["generator"][name], atol=1e-4)
    first, second = (load(tmp_path / "two" / f"{n}.safetensors") for n in (0, 1))
    for name, weight in first.weights.items():
        assert torch.equal(weight, second.weights[name])


def test_a_batch_has_as_much_for_each_process():
    Team(0, 2).check_batch(4)
    with pytest.raises(BadSetting, match="a multiple of 3, the number of processes"):
        Team(0, 3).check_batch(4)


if __name__ == "__main__":
    with joined("cpu") as team:
        train(team, Path(sys.argv[1]))
