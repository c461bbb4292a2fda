"""Settings of training; free of torch, so that forms and command lines open at once."""

from napari_colorgan.training.config.checks import check_names
from napari_colorgan.training.config.fine_tune import (
    START,
    FineTuneConfig,
    Precision,
    Scheme,
)
from napari_colorgan.training.config.learning import (
    CLASSIC,
    CODEC_OF,
    LearningConfig,
    Task,
)
from napari_colorgan.training.config.train import TrainConfig

__all__ = [
    "CLASSIC",
    "CODEC_OF",
    "START",
    "FineTuneConfig",
    "LearningConfig",
    "Precision",
    "Scheme",
    "Task",
    "TrainConfig",
    "check_names",
]
