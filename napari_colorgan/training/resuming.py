"""The state that a training goes on from, which has to be one of the same training."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_colorgan.errors import BadSetting, CheckpointError
from napari_colorgan.training.record import Record
from napari_colorgan.training.settings import CODEC_OF, FineTuneConfig, TrainConfig
from napari_colorgan.training.state import check_settings, fitting, read_state

# Settings of former versions, and their values where they were not used.
_GONE = {"by_psnr": False, "class_power": 1.0, "teaching": 0.0, "encoder_return": 0.0}


def read_state_of_pairs(out: Path | None, run: Mapping[str, Any]) -> dict[str, Any]:
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
    state = read_state(path)
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
    return state


def read_state_of_folders(
    out: Path, settings: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Read from what a training on folders goes on; None where it begins.

    Raises
    ------
    CheckpointError
    """
    path = out.with_suffix(".state")
    if not path.exists():
        return None
    state = read_state(path)
    if "run" not in state:  # as it was written before there was a best one
        run = {"settings": state.get("settings", {})}
        rest = Record().state() | {"seconds": state.get("seconds", 0.0)}
        state = rest | {"run": run, "trainer": state}
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
    return state
