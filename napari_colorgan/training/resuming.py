"""The state that a training goes on from, which has to be one of the same training."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_colorgan.errors import BadSetting, CheckpointError
from napari_colorgan.training.record import Record
from napari_colorgan.training.settings import CODEC_OF, FineTuneConfig, TrainConfig
from napari_colorgan.training.state import (
    check_settings,
    fitting,
    read_plain,
    read_state,
)

# Settings of former versions, and their values where they were not used.
_GONE = {"by_psnr": False, "class_power": 1.0, "teaching": 0.0, "encoder_return": 0.0}


@dataclass(frozen=True, slots=True)
class Saved:
    """A state that fits the settings; its tensors are read once the networks exist."""

    path: Path
    plain: Mapping[str, Any]
    """All but its tensors."""

    def whole(self, most: int) -> Mapping[str, Any]:
        """Read it with its tensors.

        Parameters
        ----------
        most : bytes that they may have

        Raises
        ------
        CheckpointError
        """
        return _as_now(read_state(self.path, most))


def read_state_of_pairs(out: Path | None, run: Mapping[str, Any]) -> Saved:
    """Read from what a fine-tuning goes on.

    Parameters
    ----------
    run : its settings, and digests of its pairs and its start

    Raises
    ------
    BadSetting, CheckpointError
    """
    if out is None:
        raise BadSetting("resume", True, "used together with `out`")
    path = out.with_suffix(".state")
    state = read_plain(path)
    with fitting(out):
        saved = state["run"]
        defaults = dataclasses.asdict(FineTuneConfig())
        check_settings(path, saved["settings"], run["settings"], defaults)
        for name, what in (("pairs", "other pairs"), ("start", "another model")):
            if saved[name] != run[name]:
                raise CheckpointError(
                    f"'{path}' is a training on {what}. Give the same ones to go on, "
                    "or start anew with another output."
                )
    return Saved(path, state)


def read_state_of_folders(out: Path, settings: Mapping[str, Any]) -> Saved | None:
    """Read from what a training on folders goes on; None where it begins.

    Raises
    ------
    CheckpointError
    """
    path = out.with_suffix(".state")
    if not path.exists():
        return None
    state = _as_now(read_plain(path))
    with fitting(out):
        saved = dict(state["run"]["settings"])
    for name, value in saved.items():
        if value != _GONE.get(name, value):
            raise CheckpointError(
                f"'{path}' was trained with {name} = {value!r}, which this version no "
                "longer has. Go on with the version that began it, or use another "
                "output file."
            )
    wanted = dict(settings)
    if wanted["task"] == "auto" and saved.get("task") in CODEC_OF:
        wanted["task"] = saved["task"]  # it was decided then
    check_settings(path, saved, wanted, dataclasses.asdict(TrainConfig()))
    return Saved(path, state)


def _as_now(state: Mapping[str, Any]) -> Mapping[str, Any]:
    """Arrange a state that was written before there was a best checkpoint."""
    if "run" in state:
        return state
    run = {"settings": state.get("settings", {})}
    rest = Record().state() | {"seconds": state.get("seconds", 0.0)}
    return rest | {"run": run, "trainer": state}
