"""Scores say how much better than gray a model is, on pictures with known colours."""

import html
import json
import math

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import color, data

from napari_colorgan.errors import BadImageFile, BadPair, BadSetting, Stopped
from napari_colorgan.job import STOP, Control, finish
from napari_colorgan.metrics import Figures, compare
from napari_colorgan.training.evaluate import (
    PictureScored,
    Scores,
    evaluate_job,
    pair_readers,
)
from napari_colorgan.training.pairs import Pair, gray_of
from napari_colorgan.training.scoring import Score, color_pair, score


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


def read_truth(folder, name, side):
    """Read the only plane of a colour picture, its shorter side resized to `side`."""
    ((pair,),) = (
        read() for known, read in pair_readers(folder, side=side) if known == name
    )
    return pair.color


def replies(colorizer, monkeypatch, prediction):
    """Let the generator answer with the same ab everywhere."""

    def predict(gray, statistics):
        return torch.tensor(prediction).view(1, 2, 1, 1).expand(1, 2, *gray.shape[2:])

    monkeypatch.setattr(colorizer, "_predict", predict)


def test_leaving_pictures_gray_gains_nothing(colorizer, photos, monkeypatch):
    replies(colorizer, monkeypatch, [0.0, 0.0])
    scores = finish(evaluate_job(photos, colorizer, side=64))
    assert scores.pictures == 3  # the gray one has no colours to compare with
    assert scores.left_out == ("gray.png",)
    assert scores.gain == pytest.approx(0, abs=0.01)
    assert scores.figures.ssim == pytest.approx(scores.gray.ssim, abs=0.001)
    assert scores.figures.ciede2000 == pytest.approx(scores.gray.ciede2000, abs=0.01)
    assert scores.figures.colorfulness == pytest.approx(0, abs=0.02)


def test_wrong_colors_lose(colorizer, photos, monkeypatch):
    replies(colorizer, monkeypatch, [-0.6, 0.6])
    scores = finish(evaluate_job(photos, colorizer, side=64))
    assert scores.gain < -1
    assert scores.figures.ciede2000 > scores.gray.ciede2000
    assert scores.figures.colorfulness > 0.3


def test_true_colors_gain_all_there_is(colorizer, tmp_path, monkeypatch):
    # one colour, many shades: its chroma is what the generator answers
    shades = np.zeros((64, 64, 3))
    shades[..., 0] = np.linspace(45, 65, 64)
    shades[..., 1:] = 30, -20
    picture = np.rint(color.lab2rgb(shades) * 255).astype(np.uint8)
    Image.fromarray(picture).save(tmp_path / "a.png")
    replies(colorizer, monkeypatch, [30 / 110, -20 / 110])
    scores = finish(evaluate_job(tmp_path, colorizer, side=64))
    assert scores.figures.psnr > 45 > scores.gray.psnr
    assert scores.gain > 20
    assert scores.figures.ciede2000 < 1 < scores.gray.ciede2000
    assert scores.figures.colorfulness == pytest.approx(1, abs=0.05)


def test_scores_are_means_over_pictures(colorizer, photos):
    scores = finish(evaluate_job(photos, colorizer, side=64))
    rows = []
    for name in ("0.png", "1.png", "2.png"):
        truth = read_truth(photos, name, 64)
        rows.append(score(Pair(name, gray_of(truth), truth), colorizer))
    assert [row.name for row in scores.rows] == [row.name for row in rows]
    assert scores.figures == Figures.mean([row.figures for row in rows])
    assert scores.gray == Figures.mean([row.gray for row in rows])
    assert scores.gain == pytest.approx(np.mean([row.gain for row in rows]))


def test_scores_are_printed_and_listed(colorizer, photos):
    scores = finish(evaluate_job(photos, colorizer, side=64))
    assert "3 pictures" in str(scores)
    assert f"{scores.gain:+.2f}" in str(scores)
    listed = scores.as_dict()
    assert listed["gain"] == scores.figures.psnr - scores.gray.psnr
    for name in ("psnr", "ssim", "ciede2000", "colorfulness"):
        assert listed[name] == getattr(scores.figures, name)
        assert listed[f"{name}_gray"] == getattr(scores.gray, name)
        for row, one in zip(listed["rows"], scores.rows, strict=True):
            assert row["name"] == one.name
            assert row[name] == getattr(one.figures, name)
    assert listed["left_out"] == ["gray.png"]
    assert "1 of 4 pictures have no colour" in scores.note and "gray.png" in scores.note


def test_figures_that_are_no_numbers_are_null(photo):
    equal = compare(photo[:5], photo[:5])
    assert math.isinf(equal.psnr) and math.isnan(equal.ssim)
    scores = Scores((Score("equal", equal, equal),))
    listed = json.loads(json.dumps(scores.as_dict(), allow_nan=False))
    assert listed["psnr"] is listed["ssim"] is listed["rows"][0]["gain"] is None
    assert "3 pictures" not in str(scores) and scores.note == ""


def test_a_limit_takes_pictures_from_all_over_the_folder(colorizer, photos):
    events = []
    finish(evaluate_job(photos, colorizer, limit=2, side=64), events.append)
    seen = [event for event in events if isinstance(event, PictureScored)]
    assert [event.name for event in seen] == ["0.png", "2.png"]
    assert [(event.done, event.total) for event in seen] == [(1, 2), (2, 2)]


def test_stop_scores_what_was_seen(colorizer, photos):
    control, seen = Control(), []

    def listen(event):
        if isinstance(event, PictureScored):
            seen.append(event)
            control.request_stop()

    scores = finish(evaluate_job(photos, colorizer, side=64), listen, control)
    assert scores.pictures == len(seen) == 1
    assert math.isfinite(scores.figures.psnr)


def test_a_picture_half_done_is_not_scored(make_colorizer, photos):
    job = evaluate_job(photos, make_colorizer())
    event = next(job)
    assert not isinstance(event, PictureScored)
    with pytest.raises(Stopped, match="before the first"):
        job.send(STOP)


def test_a_folder_without_color_is_named(colorizer, tmp_path):
    Image.fromarray(data.camera()).save(tmp_path / "gray.png")
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(BadImageFile, match=f"'{folder}' holds no colour pictures"):
            finish(evaluate_job(folder, colorizer, side=64))


def test_an_unreadable_picture_is_named(colorizer, tmp_path):
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(BadImageFile, match=r"a\.png' is not a picture"):
        finish(evaluate_job(tmp_path, colorizer))


def test_the_gray_of_a_picture_has_its_lightness(photo):
    gray = gray_of(photo)
    assert gray.dtype == np.float32
    lightness = color.rgb2lab(np.repeat(gray[..., None], 3, axis=-1))[..., 0]
    assert np.abs(lightness - color.rgb2lab(photo)[..., 0]).max() < 0.01


def test_colored_truth_keeps_the_lightness_of_the_truth(colorizer, photo):
    result = color_pair(Pair("", gray_of(photo), photo), colorizer)
    shift = color.rgb2lab(result)[..., 0] - color.rgb2lab(photo)[..., 0]
    assert np.abs(shift).max() < 2


@pytest.mark.parametrize("shape", [(300, 200), (50, 80)])
def test_truths_are_compared_at_one_size(tmp_path, shape):
    Image.fromarray(data.astronaut()[: shape[0], : shape[1]]).save(tmp_path / "a.png")
    truth = read_truth(tmp_path, "a.png", 100)
    assert min(truth.shape[:2]) == 100
    assert truth.shape[0] / truth.shape[1] == pytest.approx(
        shape[0] / shape[1], rel=0.02
    )


@pytest.mark.parametrize(
    ("context", "side", "expected"),
    [("whole", None, 256), ("local", None, 50), ("whole", 64, 64), ("local", 64, 64)],
)
def test_the_size_follows_the_context(
    make_colorizer, tmp_path, context, side, expected
):
    Image.fromarray(data.astronaut()[:50, :70]).save(tmp_path / "a.png")
    colorizer = make_colorizer(context=context)
    scores = finish(evaluate_job(tmp_path, colorizer, side=side))
    truth = read_truth(tmp_path, "a.png", expected)
    pair = Pair("a.png", gray_of(truth), truth)
    assert scores.figures == score(pair, colorizer).figures


# two folders


@pytest.fixture
def folders(tmp_path, photo, gray):
    """Pictures, one nearly gray, and gray ones that are not their lightness."""
    for name, picture in (("gray", 255 - gray), ("color", photo)):
        (tmp_path / name).mkdir()
        for number, rows in enumerate((slice(0, 80), slice(90, 250))):
            part = np.ascontiguousarray(picture[rows, 20:160])
            Image.fromarray(part).save(tmp_path / name / f"{number}.png")
        flat = np.full((40, 40, *picture.shape[2:]), 100, np.uint8)
        flat.flat[0] = 101
        Image.fromarray(flat).save(tmp_path / name / "flat.png")
    return tmp_path / "color", tmp_path / "gray"


def test_gray_pictures_of_their_own_are_colored(make_colorizer, folders, photo, gray):
    colorizer = make_colorizer(options={"out_channels": 3}, codec="rgb")
    scores = finish(evaluate_job(folders[0], colorizer, gray=folders[1]))
    assert scores.pictures == 2 and len(scores.left_out) == 1
    part = np.s_[:80, 20:160]
    pair = Pair("0", (255 - gray[part]) / np.float32(255), photo[part])
    expected = score(pair, colorizer)
    assert scores.rows[0] == Score("0", expected.figures, expected.gray)


def test_both_pictures_of_a_pair_are_resized(make_colorizer, folders):
    colorizer = make_colorizer()
    full = finish(evaluate_job(folders[0], colorizer, gray=folders[1]))
    small = finish(evaluate_job(folders[0], colorizer, gray=folders[1], side=48))
    assert small.pictures == full.pictures
    assert small.gray.psnr == pytest.approx(full.gray.psnr, abs=1)
    assert small.figures != full.figures


def test_pairs_are_limited_too(make_colorizer, folders):
    job = evaluate_job(folders[0], make_colorizer(), gray=folders[1], limit=1)
    assert [row.name for row in finish(job).rows] == ["0"]


def test_a_missing_partner_is_named(make_colorizer, folders):
    (folders[0] / "flat.png").unlink()
    (folders[1] / "flat.png").unlink()
    (folders[1] / "1.png").unlink()
    scores = finish(evaluate_job(folders[0], make_colorizer(), gray=folders[1]))
    assert [row.name for row in scores.rows] == ["0"]
    assert scores.left_out == (str(folders[0] / "1.png"),)
    assert "1 of 2 pictures cannot be used" in scores.note
    with pytest.raises(BadPair, match=r"No partner .*1\.png"):
        job = evaluate_job(folders[0], make_colorizer(), gray=folders[1], strict=True)
        finish(job)


# report


def test_a_report_comes_with_the_scores(make_colorizer, photos, tmp_path):
    folder = tmp_path / "report"
    scores = finish(evaluate_job(photos, make_colorizer(), side=64, report=folder))
    page = (folder / "index.html").read_text("utf-8")
    assert f"{scores.figures.psnr:.2f}" in page and "3 pictures" in page
    assert html.escape(scores.note) in page and "not finished" not in page
    assert len(list((folder / "images").iterdir())) == 6


def test_a_report_of_a_stopped_evaluation_says_so(make_colorizer, photos, tmp_path):
    control = Control()

    def listen(event):
        if isinstance(event, PictureScored):
            control.request_stop()

    folder = tmp_path / "report"
    job = evaluate_job(photos, make_colorizer(), side=64, report=folder)
    assert finish(job, listen, control).pictures == 1
    assert "1 of 4 pictures" in (folder / "index.html").read_text("utf-8")


def test_no_report_is_begun_without_pictures(colorizer, tmp_path, photos):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(BadImageFile):
        finish(evaluate_job(empty, colorizer, report=tmp_path / "report"))
    assert not (tmp_path / "report").exists()
    with pytest.raises(BadSetting, match="report"):
        finish(evaluate_job(photos, colorizer, report=photos))
