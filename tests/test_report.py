"""A quality report: what its page, tables and pictures show, and where it may lie."""

import csv
import errno
import io
import math
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_colorgan.drafts import Draft, sweep_once
from napari_colorgan.errors import BadImageFile, BadSetting
from napari_colorgan.job import Control, finish
from napari_colorgan.metrics import Figures, compare
from napari_colorgan.training.events import History, Validated
from napari_colorgan.training.pairs import Pair
from napari_colorgan.training.report import (
    PictureReported,
    check_folder,
    write_job,
)
from napari_colorgan.training.report.charts import draw_curves
from napari_colorgan.training.report.pictures import compared, error_colors
from napari_colorgan.training.report.writing import Report
from napari_colorgan.training.scoring import score

SETTINGS = {"seed": 3, "batch": 4}


def write(*arguments, **settings):
    return finish(write_job(*arguments, **settings))


@pytest.fixture(scope="module")
def colorizer(make_colorizer):
    return make_colorizer()


@pytest.fixture(scope="module")
def other(make_colorizer):
    return make_colorizer(seed=7)


@pytest.fixture
def pairs(photo, gray):
    unit = gray.astype(np.float32) / 255
    return [
        Pair(name, unit[part].copy(), photo[part].copy())
        for name, part in (
            ("face", np.s_[60:160, 80:200]),
            ("corner", np.s_[:64, :80]),
        )
    ]


@pytest.fixture
def history():
    def figures(psnr):
        return Figures(psnr=psnr, ssim=0.9, ciede2000=5.0, colorfulness=0.8)

    scores = [
        Validated(step, 40, figures(psnr), figures(15.5), figures(18.25), best, False)
        for step, psnr, best in ((0, 18.25, True), (20, 21.0, True), (40, 20.5, False))
    ]
    return History([(step, 1 / step) for step in range(1, 41)], scores)


class Page(HTMLParser):
    """Text, addresses and tags of a page; fails where a tag is left open."""

    EMPTY = frozenset({"meta", "img", "path", "polyline"})

    def __init__(self, text):
        super().__init__()
        self.text, self.addresses, self.tags, self.open = "", [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [v for k, v in attrs if k in ("src", "href", "srcset")]
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def read_page(folder):
    return Page((folder / "index.html").read_text("utf-8"))


def read_table(path):
    return list(csv.DictReader(io.StringIO(path.read_text("utf-8"))))


def listed(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.*"))


def test_a_report_has_a_page_tables_and_pictures(
    tmp_path, pairs, colorizer, other, history
):
    folder = tmp_path / "report"
    page = write(
        folder, pairs, colorizer, settings=SETTINGS, history=history, before=other
    )
    assert page == folder / "index.html"
    pictures = [f"images/000{n}{end}.png" for n in (1, 2) for end in ("-error", "")]
    assert listed(folder) == ["curves.csv", "images.csv", *pictures, "index.html"]
    shown = read_page(folder)
    assert (
        sorted(set(shown.addresses)) == pictures
    )  # nothing else, nothing from a network
    assert "script" not in shown.tags and shown.tags.count("svg") == 2
    for word in (
        "face",
        "corner",
        "seed",
        "batch",
        "left gray",
        "before",
        "2 pictures",
    ):
        assert word in shown.text
    assert "http" not in page.read_text("utf-8")


def test_tables_hold_the_scores(tmp_path, pairs, colorizer, other):
    write(tmp_path / "report", pairs, colorizer, settings={}, before=other)
    lines = read_table(tmp_path / "report" / "images.csv")
    assert [line["name"] for line in lines] == ["face", "corner"]
    for line, pair in zip(lines, pairs, strict=True):
        now, before = score(pair, colorizer), score(pair, other)
        for ending, figures in (
            ("", now.figures),
            ("_gray", now.gray),
            ("_before", before.figures),
        ):
            for name in ("psnr", "ssim", "ciede2000", "colorfulness"):
                value = float(line[name + ending])
                assert value == pytest.approx(getattr(figures, name))


def test_the_page_shows_means(tmp_path, pairs, colorizer):
    write(tmp_path / "report", pairs, colorizer, settings={})
    scored = [score(pair, colorizer) for pair in pairs]
    now = Figures.mean([one.figures for one in scored])
    gray = Figures.mean([one.gray for one in scored])
    text = read_page(tmp_path / "report").text
    for shown in (now.psnr, now.psnr - gray.psnr, gray.psnr, now.ciede2000):
        assert f"{shown:.2f}" in text
    assert f"{100 * now.colorfulness:.0f} %" in text
    assert "before" not in text and not (tmp_path / "report" / "curves.csv").exists()


def test_curves_are_written_and_drawn(tmp_path, pairs, colorizer, history):
    write(tmp_path / "report", pairs[:1], colorizer, settings={}, history=history)
    lines = read_table(tmp_path / "report" / "curves.csv")
    assert [int(line["step"]) for line in lines] == list(range(41))
    assert [float(line["loss"]) for line in lines[1:]] == [
        loss for _, loss in history.losses
    ]
    scored = [line for line in lines if line["psnr"]]
    assert [int(line["step"]) for line in scored] == [0, 20, 40]
    assert [line["best"] for line in scored] == ["1", "1", "0"]
    assert {line["psnr_gray"] for line in scored} == {"15.5"}


def test_curves_stay_inside_and_keep_their_order(history):
    loss, psnr = draw_curves(history)
    for drawn in (loss, psnr):
        for points in re.findall(r'polyline points="([^"]*)"', drawn):
            places = np.array([p.split(",") for p in points.split()], float)
            assert (places >= 0).all() and (places <= [640, 240]).all()
            assert (np.diff(places[:, 0]) > 0).all()
    (curve,) = re.findall(r'polyline points="([^"]*)"', loss)
    heights = [float(point.split(",")[1]) for point in curve.split()]
    assert heights == sorted(heights)  # a loss that falls goes down, and y grows down
    assert "before" in psnr and "left gray" in psnr


def test_curves_of_nothing_are_not_drawn():
    assert draw_curves(History()) == []
    assert draw_curves(History([(1, math.nan)])) == []


def test_panels_are_the_pictures_themselves(tmp_path, pairs, colorizer, other):
    write(tmp_path / "report", pairs, colorizer, settings={}, before=other)
    sheet = np.asarray(Image.open(tmp_path / "report" / "images" / "0001.png"))
    pair = pairs[0]
    height, width = pair.shape
    assert sheet.shape == (height, 4 * width + 3 * 8, 3)
    panels = [sheet[:, n * (width + 8) :][:, :width] for n in range(4)]
    np.testing.assert_array_equal(panels[0][..., 0], (pair.gray * 255).round())
    np.testing.assert_array_equal(panels[1], score(pair, other).image)
    np.testing.assert_array_equal(panels[2], score(pair, colorizer).image)
    np.testing.assert_array_equal(panels[3], pair.color)


def test_errors_have_a_fixed_scale():
    difference = np.tile(np.linspace(0, 40, 81, dtype=np.float32), (8, 1))
    colors = np.asarray(error_colors(difference, None)).astype(int)
    assert tuple(colors[0, 0]) == (11, 11, 42)  # as equal as can be
    assert (colors[:, 40:] == colors[0, 40]).all()  # 20 and more look the same
    assert (np.diff(colors[0, :41].sum(-1)) > 0).all()  # lighter is worse
    mask = np.zeros(difference.shape, np.bool_)
    mask[:, :10] = True
    masked = np.asarray(error_colors(difference, mask))
    assert (masked[:, 10:] == 128).all()
    np.testing.assert_array_equal(masked[:, :10], colors[:, :10])


def test_large_pictures_are_shown_reduced(tmp_path, colorizer, photo):
    wide = np.tile(photo[:40], (1, 5, 1))
    assert compared([wide, wide]).size == (2 * 1024 + 8, 26)
    pair = Pair("wide", wide.mean(-1, dtype=np.float32) / 255, wide)
    write(tmp_path / "report", [pair], colorizer, settings={})
    assert "1024 px are shown reduced" in read_page(tmp_path / "report").text
    (line,) = read_table(tmp_path / "report" / "images.csv")
    figures = compare(score(pair, colorizer).image, wide)
    assert float(line["psnr"]) == pytest.approx(figures.psnr)


@pytest.mark.parametrize("side", [1, 5])
def test_tiny_pictures_have_no_ssim(tmp_path, pairs, colorizer, side):
    tiny = pairs[0].cropped(np.s_[:side, :side])
    write(tmp_path / "report", [tiny], colorizer, settings={})
    (line,) = read_table(tmp_path / "report" / "images.csv")
    assert line["ssim"] == "" and float(line["psnr"]) > 0
    assert "nan" not in read_page(tmp_path / "report").text


NAMES = ['<script>alert("x")</script>', "a & b", "=1+1,x\n2", "\udcff.png", "'\"><img "]


@pytest.mark.parametrize("name", NAMES)
def test_names_are_text_wherever_they_stand(tmp_path, pairs, colorizer, name):
    pair = Pair(name, pairs[1].gray, pairs[1].color)
    settings = {name: name}
    write(tmp_path / "report", [pair], colorizer, settings=settings)
    shown = read_page(tmp_path / "report")
    assert "script" not in shown.tags and shown.tags.count("img") == 2
    expected = name.encode("utf-8", "backslashreplace").decode()
    assert shown.text.count(expected) == 3
    (line,) = read_table(tmp_path / "report" / "images.csv")
    assert line["name"] == expected


def test_a_stopped_report_says_so(tmp_path, pairs, colorizer):
    control, events = Control(), []

    def stop(event):
        if isinstance(event, PictureReported):
            events.append(event)
            control.request_stop()

    job = write_job(tmp_path / "report", pairs, colorizer, settings={})
    finish(job, stop, control)
    assert [(e.done, e.total, e.name) for e in events] == [(1, 2, "face")]
    assert "1 of 2 pictures" in read_page(tmp_path / "report").text
    assert len(read_table(tmp_path / "report" / "images.csv")) == 1


def test_a_report_stopped_at_once_is_empty(tmp_path, pairs, make_colorizer):
    control = Control()
    job = write_job(
        tmp_path / "report", pairs, make_colorizer(tiling=(64, 8, 8)), settings={}
    )
    finish(job, lambda _: control.request_stop(), control)
    assert "0 of 2 pictures" in read_page(tmp_path / "report").text


def test_a_report_replaces_its_own_files_only(tmp_path, pairs, colorizer, history):
    folder = tmp_path / "report"
    write(folder, pairs, colorizer, settings={}, history=history)
    (folder / "images" / "mine.png").write_text("precious")
    (folder / "notes.txt").write_text("precious")
    write(folder, pairs[:1], colorizer, settings={})
    assert listed(folder) == [
        "images.csv",
        "images/0001-error.png",
        "images/0001.png",
        "images/mine.png",
        "index.html",
        "notes.txt",
    ]
    assert "corner" not in read_page(folder).text


def test_an_unfinished_report_is_known_as_ours(tmp_path, pairs, colorizer):
    job = write_job(tmp_path / "report", pairs, colorizer, settings={})
    next(job)
    job.close()  # as a crash would
    assert "not finished" in read_page(tmp_path / "report").text
    check_folder("report", tmp_path / "report")


@pytest.mark.parametrize(
    "case", ["file", "foreign", "foreign page", "no parent", "link"]
)
def test_a_report_never_takes_the_place_of_other_files(
    tmp_path, pairs, colorizer, case
):
    folder = tmp_path / "place"
    if case == "file":
        folder.write_text("precious")
    elif case == "foreign":
        folder.mkdir()
        (folder / "thesis.doc").write_text("precious")
    elif case == "foreign page":
        folder.mkdir()
        (folder / "index.html").write_text("<h1>My page</h1>")
    elif case == "no parent":
        folder = folder / "deeper"
    else:
        folder.symlink_to(tmp_path / "nowhere")
    before = sorted(p.name for p in tmp_path.rglob("*"))
    with pytest.raises(BadSetting, match=r"--report is .*an earlier report"):
        check_folder("--report", folder)
    with pytest.raises(BadSetting, match="report is"):
        write(folder, pairs, colorizer, settings={})
    assert sorted(p.name for p in tmp_path.rglob("*")) == before


def test_a_place_that_is_not_writable_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda *_: False)  # the tests may run as root
    for folder in (tmp_path, tmp_path / "new"):
        with pytest.raises(BadSetting, match="may be written to"):
            check_folder("report", folder)


def test_a_file_that_cannot_be_written_is_named(tmp_path, pairs, colorizer):
    folder = tmp_path / "report"
    write(folder, pairs[:1], colorizer, settings={})
    (folder / "images.csv").unlink()
    (folder / "images.csv").mkdir()
    with pytest.raises(BadImageFile, match=r"images\.csv' cannot be written"):
        write(folder, pairs[:1], colorizer, settings={})


def test_a_full_disk_leaves_no_torn_picture(tmp_path, pairs, colorizer, monkeypatch):
    folder = tmp_path / "report"
    write_bytes, written = Path.write_bytes, []

    def full(self, content):
        written.append(write_bytes(self, content[: len(content) // 2]))
        raise OSError(errno.ENOSPC, "No space left on device")

    report = Report(folder, SETTINGS)
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(BadImageFile, match=r"0001\.png' cannot be written: No space"):
        report.add(pairs[0], score(pairs[0], colorizer))
    assert written and listed(folder) == ["index.html"]


def test_a_report_that_was_killed_is_made_anew(tmp_path, pairs, colorizer):
    folder = tmp_path / "report"
    Report(folder, SETTINGS)
    (folder / "images" / "0007.png").write_bytes(b"half a picture")
    left = [Draft(folder / "index.html"), Draft(folder / "images" / "0001.png")]
    for draft in left:  # as a killed process leaves them: there, and not held
        draft._let_go()
    sweep_once.cache_clear()
    write(folder, pairs[:1], colorizer, settings=SETTINGS)
    pictures = ["images/0001-error.png", "images/0001.png"]
    assert listed(folder) == ["images.csv", *pictures, "index.html"]
    for path in (folder / "images").iterdir():
        Image.open(path).load()
