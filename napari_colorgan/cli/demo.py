"""`colorgan demo`."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from napari_colorgan.checkpoints import zoo
from napari_colorgan.cli._options import ModelName
from napari_colorgan.cli._run import Run
from napari_colorgan.cli._terminal import say
from napari_colorgan.inference.files import color_job
from napari_colorgan.inference.settings import ColorizerSettings

_QT_BINDINGS = ("PyQt6", "PySide6", "PyQt5", "PySide2")
_PROBE_SECONDS = 120  # the first Qt program on a machine waits for a cache of fonts


def demo(
    out: Annotated[
        Path, typer.Option(help="Folder for pictures, where no window can open.")
    ] = Path(),
    model: ModelName = zoo.DEFAULT,
) -> None:
    """Open napari with a sample photograph and colour it."""
    zoo.find(model)
    if reason := _why_no_window():
        say(f"{reason}, so the sample is coloured into files.")
        _write_demo(out, model)
    else:
        _show_demo(model)


def _show_demo(model: str) -> None:
    import napari
    from napari.qt import get_qapp

    viewer = napari.Viewer(title="napari-colorgan")
    viewer.open_sample("napari-colorgan", "photograph")
    _, widget = viewer.window.add_plugin_dock_widget("napari-colorgan", "Colorize")
    if model in widget.models.names.choices:
        widget.choose_model(model)
    else:
        widget.models.add(Path(model))
    get_qapp().processEvents()  # the dock takes its room
    viewer.reset_view()
    widget.run.native.click()
    napari.run()


def _write_demo(folder: Path, model: str) -> None:
    import numpy as np

    from napari_colorgan.image_io import ResultFile, check_output
    from napari_colorgan.inference.source import Source
    from napari_colorgan.sample_data import photograph

    gray = Source.of(photograph()[0][0], axes="YX", name="the sample")
    height, width = gray.shape
    colored, both = (
        folder / f"colorgan-demo{end}.png" for end in ("", "-side-by-side")
    )
    check_output(colored, (height, width), force=True)
    from napari_colorgan.inference.colorize import record_of

    canvas = np.zeros((height, width, 3), np.uint8)
    settings = ColorizerSettings(model=model)
    with Run("Colouring") as run:
        colorizer = run.finish(color_job(gray, settings, canvas))
        run.exit_if_stopped("nothing is written")
    made = record_of(gray, colorizer, "the sample photograph", complete=True)
    with ResultFile(colored, (height, width), made=made) as file:
        file.array[...] = canvas
    with ResultFile(both, (height, 2 * width), made=made) as file:
        file.array[:, :width] = gray.array[..., None]
        file.array[:, width:] = canvas
    say(f"'{colored}': the sample, coloured by '{model}'.")
    say(f"'{both}': before and after.")


def _why_no_window() -> str:
    """Why napari cannot open here, as the begin of a sentence; empty if it can."""
    linux = sys.platform.startswith("linux")
    if linux and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return "There is no display (neither DISPLAY nor WAYLAND_DISPLAY is set)"
    if not any(importlib.util.find_spec(name) for name in _QT_BINDINGS):
        return (
            "napari has no Qt to open windows with (pip install 'napari-colorgan[all]' "
            "brings it)"
        )
    # where the display or a library of the system is missing, Qt ends the process
    program = "from qtpy.QtWidgets import QApplication; QApplication([])"
    try:
        probe = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            timeout=_PROBE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "Qt does not start here"
    if probe.returncode:
        said = [line for line in probe.stderr.splitlines() if line.strip()]
        return f"Qt cannot open a window ({said[0] if said else probe.returncode})"
    return ""
