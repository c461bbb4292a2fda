"""A generator whose predictions are no numbers: a sentence, and nothing is written."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data
from typer.testing import CliRunner

from napari_colorgan import cli
from napari_colorgan.checkpoints import onnx, zoo
from napari_colorgan.checkpoints.bioimageio import export_bioimageio_job
from napari_colorgan.checkpoints.onnx import export_onnx_job
from napari_colorgan.checkpoints.pix2pix import write_pix2pix
from napari_colorgan.checkpoints.store import load, save
from napari_colorgan.errors import NoColors
from napari_colorgan.inference.colorize import (
    colorize,
    colorize_region,
    colorizer_job,
)
from napari_colorgan.inference.colorizer import Colorizer
from napari_colorgan.inference.engines import TorchEngine
from napari_colorgan.inference.examples import sample_job
from napari_colorgan.inference.lazy import colorize_lazy
from napari_colorgan.inference.live import live_job
from napari_colorgan.inference.source import Source
from napari_colorgan.job import finish

SENTENCE = (
    r"model 'test' gives no colours here: .* not finite .* Choose another model\."
)


def damaged(checkpoint, damage):
    """The same with finite weights that no training makes."""
    weights = {name: value.clone() for name, value in checkpoint.weights.items()}
    for name, value in weights.items():
        if damage == "variance" and name.endswith("running_var"):
            value.fill_(-1)
        if damage == "weights" and value.ndim == 4:
            value.copy_(value.sign() * 3e38)
    return replace(checkpoint, weights=weights)


@pytest.fixture(params=["variance", "weights"])
def broken(request, make_checkpoint):
    return damaged(make_checkpoint(context="local"), request.param)


@pytest.fixture
def file(tmp_path, make_checkpoint, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(zoo, "user_folder", lambda: tmp_path / "models")
    save(damaged(make_checkpoint(), "variance"), tmp_path / "test.safetensors")
    return tmp_path / "test.safetensors"


def test_no_picture_is_made(gray, broken):
    with pytest.raises(NoColors, match=SENTENCE):
        colorize(gray, broken)
    with pytest.raises(NoColors, match=SENTENCE):
        colorize_region(gray, broken, np.s_[20:40, 20:40])


def test_nor_by_a_generator_that_sees_all_of_a_picture(gray, make_checkpoint):
    whole = make_checkpoint(context="whole", working_size=96, statistics="picture")
    with pytest.raises(NoColors, match=SENTENCE):
        colorize(gray, damaged(whole, "weights"))


def test_nor_a_preview_or_an_example(gray, broken):
    colorizer = finish(colorizer_job(broken, device="cpu"))
    with pytest.raises(NoColors, match=SENTENCE):
        finish(live_job(Source.of(gray).plane(), colorizer, side=128))
    with pytest.raises(NoColors, match=SENTENCE):
        finish(sample_job(broken))


def test_nor_a_chunk_of_a_lazy_result(gray, file):
    result = colorize_lazy(gray, file)
    with pytest.raises(NoColors, match=SENTENCE):
        result.compute(scheduler="sync")


class Half:
    """An engine of half precision, in which large values are infinite."""

    name = "torch-half"

    def __init__(self, generator, limit):
        self.exact, self.limit = TorchEngine(generator), limit

    def look(self, source, palette, *, sure):
        said, features = self.exact.look(source, palette, sure=sure)
        infinite = features.abs() > self.limit
        return said.half(), features.half().masked_fill(infinite, torch.inf)


def test_what_overflows_in_half_precision_is_computed_in_float32(make_checkpoint):
    """The model is right; only what is above 65,504 in it is not."""
    colorizer = Colorizer(make_checkpoint("compact"), device="cpu", engine="torch")
    picture = torch.rand(1, 1, 64, 64)
    expected, features = colorizer.look(picture)
    for limit, exact in ((1e9, False), (1e-3, True)):
        colorizer._engine = Half(colorizer._generator, limit)
        said, seen = colorizer.look(picture)
        assert torch.equal(said, expected) == torch.equal(seen, features) == exact
        assert torch.allclose(said, expected, atol=1e-2) and seen.isfinite().all()


def test_nothing_is_exported(broken, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx, "onnx_of", lambda *_: pytest.fail("it was not checked"))
    with pytest.raises(NoColors, match=SENTENCE):
        finish(export_onnx_job(broken, tmp_path / "model.onnx"))
    package = export_bioimageio_job(
        replace(broken, metadata=replace(broken.metadata, license="MIT")),
        tmp_path / "model.zip",
        picture=data.camera() / np.float32(255),
        documentation="",
        authors=["A. Painter"],
    )
    with pytest.raises(NoColors, match=SENTENCE):
        finish(package)
    assert list(tmp_path.iterdir()) == []


def test_pixels_that_are_no_numbers_are_not_the_models_fault(gray, make_checkpoint):
    holes = gray.astype(float)
    holes[30:60, 40:80] = np.nan
    with pytest.warns(UserWarning, match="1200 pixels have no value"):
        assert colorize(holes, make_checkpoint(statistics="picture")).any()


def test_the_terminal_says_it_and_leaves_no_file(file, gray, tmp_path):
    (tmp_path / "pictures").mkdir()
    for name in ("in.png", "pictures/a.png", "pictures/b.png"):
        Image.fromarray(gray).save(name)
    write_pix2pix(load(file), tmp_path / "net_G.pth")
    before = sorted(tmp_path.iterdir())
    for command in (
        ["colorize", "in.png", "out.png", "--model", str(file)],
        ["colorize", "pictures", ".", "--model", str(file)],
        ["import", "net_G.pth", "--statistics", "stored"],
    ):
        result = CliRunner().invoke(cli.app, command)
        assert result.exit_code == 2 and "Traceback" not in result.output
        assert "gives no colours here" in result.stderr
        assert sorted(tmp_path.iterdir()) == before


def test_what_a_generator_says_is_checked_on_every_window(gray, make_colorizer):
    """Also where the first windows of a picture go well."""
    colorizer = make_colorizer("compact")
    with torch.no_grad():
        fine = colorizer.predict(torch.rand(1, 1, 64, 64), None)
    assert fine.isfinite().all()
    picture = np.zeros((1, 1, 64, 64), np.float32)
    picture[..., 30, 30] = np.nan
    with pytest.raises(NoColors):
        colorizer.predict(torch.from_numpy(picture), None)
