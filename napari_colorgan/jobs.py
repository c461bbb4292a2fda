"""Jobs and their events, for those who want progress or to stop early.

A job does nothing until it is run: by `finish`, which calls a function with every event
and obeys a `Control`, or event by event by `drive`.
"""

from napari_colorgan.inference.colorize import (
    InvalidPixels,
    ModelLoaded,
    PlaneGray,
    TileDone,
    colorize_job,
    colorizer_job,
    gray_canvas_job,
    region_job,
)
from napari_colorgan.job import STOP, Control, Job, Progress, drive, finish
from napari_colorgan.training.fine_tune import fine_tune_job

__all__ = [
    "STOP",
    "Control",
    "InvalidPixels",
    "Job",
    "ModelLoaded",
    "PlaneGray",
    "Progress",
    "TileDone",
    "colorize_job",
    "colorizer_job",
    "drive",
    "fine_tune_job",
    "finish",
    "gray_canvas_job",
    "region_job",
]
