"""Jobs and their events, for those who want progress or to stop early.

A job does nothing until it is run: by `finish`, which calls a function with every event
and obeys a `Control`.
"""

from napari_colorgan.inference.colorize import colorize_job as colorize_job
from napari_colorgan.inference.colorize import colorizer_job as colorizer_job
from napari_colorgan.inference.colorize import region_job as region_job
from napari_colorgan.inference.events import InvalidPixels as InvalidPixels
from napari_colorgan.inference.events import ModelLoaded as ModelLoaded
from napari_colorgan.inference.events import PlaneGray as PlaneGray
from napari_colorgan.inference.events import TileDone as TileDone
from napari_colorgan.job import STOP as STOP
from napari_colorgan.job import Control as Control
from napari_colorgan.job import Job as Job
from napari_colorgan.job import Progress as Progress
from napari_colorgan.job import Waiting as Waiting
from napari_colorgan.job import finish as finish
from napari_colorgan.training.evaluate import evaluate_job as evaluate_job
from napari_colorgan.training.events import Planned as Planned
from napari_colorgan.training.events import Previewed as Previewed
from napari_colorgan.training.events import StepDone as StepDone
from napari_colorgan.training.events import Validated as Validated
from napari_colorgan.training.fine_tune import fine_tune_job as fine_tune_job
