"""Scores say how much better than gray a model is, on pictures with known colours."""

import math

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import color, data

from napari_colorgan.errors import BadImageFile
from napari_colorgan.job import Control, finish
from napari_colorgan.training.evaluate import (
    PictureScored,
    color_truth,
    evaluate_job,
    gray_of,
    read_truth,
)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    pictures = (data.astronaut(), data.coffee(), data.chelsea())
    for number, picture in enumerate(pictures):
        Image.fromarray(picture[::2, ::2]).save(folder / f"{number}.png")
    Image.fromarray(data.camera()).save(folder / "gray.png")
    return folder


@pytest.fixture
def colorizer(make_colorizer):
    return make_colorizer(context="whole", working_size=64)


def replies(colorizer, monkeypatch, prediction):
    """Let the generator answer with the same ab everywhere."""

    def predict(gray, statistics):
        return torch.tensor(prediction).view(1, 2, 1, 1).expand(1, 2, *gray.shape[2:])

    monkeypatch.setattr(colorizer, "predict", predict)


def test_leaving_pictures_gray_gains_nothing(colorizer, photos, monkeypatch):
    replies(colorizer, monkeypatch, [0.0, 0.0])
    scores = finish(evaluate_job(photos, colorizer, side=64))
    assert scores.pictures == 3  # the gray one has no colours to compare with
    assert scores.gain == pytest.approx(0, abs=0.01)
    assert scores.ciede2000 == pytest.approx(scores.ciede2000_gray, abs=0.01)
    assert scores.colorfulness == pytest.approx(0, abs=0.02)


def test_wrong_colors_lose(colorizer, photos, monkeypatch):
    replies(colorizer, monkeypatch, [-0.6, 0.6])
    scores = finish(evaluate_job(photos, colorizer, side=64))
    assert scores.gain < -1
    assert scores.ciede2000 > scores.ciede2000_gray
    assert scores.colorfulness > 0.3


def test_true_colors_gain_all_there_is(colorizer, tmp_path, monkeypatch):
    # one colour, many shades: its chroma is what the generator answers
    shades = np.zeros((64, 64, 3))
    shades[..., 0] = np.linspace(45, 65, 64)
    shades[..., 1:] = 30, -20
    picture = np.rint(color.lab2rgb(shades) * 255).astype(np.uint8)
    Image.fromarray(picture).save(tmp_path / "a.png")
    replies(colorizer, monkeypatch, [30 / 110, -20 / 110])
    scores = finish(evaluate_job(tmp_path, colorizer, side=64))
    assert scores.psnr > 45 > scores.psnr_gray
    assert scores.gain > 20
    assert scores.ciede2000 < 1 < scores.ciede2000_gray
    assert scores.colorfulness == pytest.approx(1, abs=0.05)


def test_scores_are_printed_and_listed(colorizer, photos):
    scores = finish(evaluate_job(photos, colorizer, side=64))
    assert "3 pictures" in str(scores)
    assert f"{scores.gain:+.2f}" in str(scores)
    assert scores.as_dict()["gain"] == scores.psnr - scores.psnr_gray


def test_a_limit_takes_pictures_from_all_over_the_folder(colorizer, photos):
    events = []
    finish(evaluate_job(photos, colorizer, limit=2, side=64), events.append)
    assert [event.path.name for event in events] == ["0.png", "2.png"]
    assert [(event.done, event.total) for event in events] == [(1, 2), (2, 2)]


def test_stop_scores_what_was_seen(colorizer, photos):
    control, events = Control(), []

    def listen(event):
        assert isinstance(event, PictureScored)
        events.append(event)
        control.request_stop()

    scores = finish(evaluate_job(photos, colorizer, side=64), listen, control)
    assert scores.pictures == len(events) == 1
    assert math.isfinite(scores.psnr)


def test_a_folder_without_color_is_named(colorizer, tmp_path):
    Image.fromarray(data.camera()).save(tmp_path / "gray.png")
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(BadImageFile, match=f"'{folder}' holds no colour pictures"):
            finish(evaluate_job(folder, colorizer, side=64))


def test_an_unreadable_picture_is_named(colorizer, tmp_path):
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(BadImageFile, match=r"a\.png' cannot be read"):
        finish(evaluate_job(tmp_path, colorizer))


def test_the_gray_of_a_picture_has_its_lightness(photo):
    gray = gray_of(photo)
    assert gray.dtype == np.float32
    lightness = color.rgb2lab(np.repeat(gray[..., None], 3, axis=-1))[..., 0]
    assert np.abs(lightness - color.rgb2lab(photo)[..., 0]).max() < 0.01


def test_colored_truth_keeps_the_lightness_of_the_truth(colorizer, photo):
    result = color_truth(photo, colorizer)
    shift = color.rgb2lab(result)[..., 0] - color.rgb2lab(photo)[..., 0]
    assert np.abs(shift).max() < 2


@pytest.mark.parametrize("shape", [(300, 200), (50, 80)])
def test_truths_are_compared_at_one_size(tmp_path, shape):
    Image.fromarray(data.astronaut()[: shape[0], : shape[1]]).save(tmp_path / "a.png")
    truth = read_truth(tmp_path / "a.png", 100)
    assert min(truth.shape[:2]) == 100
    assert truth.shape[0] / truth.shape[1] == pytest.approx(
        shape[0] / shape[1], rel=0.02
    )
