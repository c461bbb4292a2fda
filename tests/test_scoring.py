"""A pair is scored by the colours of its gray picture, all of it or none."""

import numpy as np
import pytest

from napari_colorgan.inference.colorize import colorize
from napari_colorgan.job import STOP, Control, Progress, finish
from napari_colorgan.metrics import compare
from napari_colorgan.training.pairs import Pair
from napari_colorgan.training.scoring import (
    color_pair,
    color_pair_job,
    gray_rgb,
    score,
    score_job,
)


@pytest.fixture
def pair(photo, gray):
    return Pair("face", gray.astype(np.float32) / 255, photo)


@pytest.fixture
def colorizer(make_colorizer):
    return make_colorizer()


def test_a_pair_is_colored_as_its_gray_picture_is(pair, gray, colorizer):
    np.testing.assert_array_equal(
        color_pair(pair, colorizer), colorize(gray, colorizer)
    )


def test_translation_is_scored_too(pair, make_colorizer):
    colorizer = make_colorizer(options={"out_channels": 3}, codec="rgb")
    scored = score(pair, colorizer)
    assert scored.image.shape == pair.color.shape
    assert scored.figures == compare(scored.image, pair.color)


def test_gray_is_the_source_itself(pair, gray):
    np.testing.assert_array_equal(gray_rgb(pair), np.dstack([gray] * 3))


def test_a_score_compares_with_leaving_it_gray(pair, colorizer):
    scored = score(pair, colorizer)
    assert scored.name == "face"
    assert scored.gray == compare(gray_rgb(pair), pair.color)
    assert scored.gray.colorfulness == 0
    assert scored.gain == scored.figures.psnr - scored.gray.psnr


def test_only_the_mask_is_judged(pair, photo, colorizer):
    mask = np.zeros(pair.shape, np.bool_)
    mask[40:140, 60:200] = True
    masked = Pair(pair.name, pair.gray, photo, mask)
    scored = score(masked, colorizer)
    np.testing.assert_array_equal(scored.image, score(pair, colorizer).image)
    assert scored.figures == compare(scored.image, photo, mask)


def test_a_picture_that_is_stopped_has_no_score(pair, colorizer):
    control = Control()
    events = []

    def stop(event):
        events.append(event)
        control.request_stop()

    assert finish(score_job(pair, colorizer, 3, 7), stop, control) is None
    assert events == [Progress(3, 7)]


def test_a_stop_at_the_last_tile_loses_nothing(pair, colorizer):
    expected = color_pair(pair, colorizer)
    last = sum(1 for _ in color_pair_job(pair, colorizer)) - 1
    job = color_pair_job(pair, colorizer)
    for _ in range(last + 1):
        next(job)
    with pytest.raises(StopIteration) as end:
        job.send(STOP)
    np.testing.assert_array_equal(end.value.value, expected)
