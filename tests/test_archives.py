"""Pictures packed into archives, and workers that cut crops out ahead of time."""

import io
import threading
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from napari_colorgan import sample_data
from napari_colorgan.color import (
    AB_SCALE,
    LabCodec,
    lightness_to_gray,
    rgb_to_lab,
)
from napari_colorgan.errors import BadImageFile
from napari_colorgan.training.archives import Archive, is_archive
from napari_colorgan.training.picture_sampler import PictureSampler
from napari_colorgan.training.pictures import AB_BYTES, Picture, to_lab
from napari_colorgan.training.settings import TrainConfig

RANDOM = np.random.default_rng(2).integers(0, 256, (64, 96, 3), np.uint8)


def pack(path, pictures):
    with zipfile.ZipFile(path, "w") as file:
        for name, rgb in pictures.items():
            content = io.BytesIO()
            Image.fromarray(rgb).save(content, "png")
            file.writestr(name, content.getvalue())
        file.writestr("read me.txt", "no picture")
    return path


@pytest.fixture
def archive(tmp_path):
    pictures = {f"{kind}/{n}.png": RANDOM + n for kind in "ab" for n in range(4)}
    return pack(tmp_path / "pictures.zip", pictures)


def test_tables_agree_with_the_formulas():
    cube = np.stack(np.meshgrid(*[np.arange(0, 256, 5)] * 3), -1).astype(np.uint8)
    for rgb in (cube.reshape(52, -1, 3), RANDOM, RANDOM // 16):
        lab = rgb_to_lab(torch.from_numpy(rgb).permute(2, 0, 1)[None] / 255)
        gray = 255 * lightness_to_gray(lab[:, :1])
        exact = torch.cat([gray, AB_BYTES * (lab[:, 1:] / AB_SCALE + 1)], dim=1)
        found = to_lab(Picture(rgb))
        assert found.is_lab
        off = found.color - exact[0].permute(1, 2, 0).numpy()
        assert np.abs(off).max() < 0.7  # half a level, and what tables round
        assert np.abs(off.mean((0, 1))).max() < 0.1


def test_an_archive_gives_pictures_as_a_folder_does(archive):
    assert is_archive(archive) and not is_archive(archive.parent)
    pictures = Archive(archive, 32)
    assert len(pictures) == 8
    assert pictures[0].color.shape == (32, 48, 3) and pictures[0].is_lab
    full = Archive(archive, 4096)
    assert np.array_equal(full[5].color, to_lab(Picture(RANDOM + 1)).color)
    assert len(full[2:4]) == 2 and len(list(full)) == 8


def test_a_bad_archive_is_named(tmp_path):
    text = tmp_path / "text.zip"
    text.write_text("no archive")
    message = r"text\.zip.*a \.zip file of colour pictures"
    with pytest.raises(BadImageFile, match=message):
        Archive(text, 32)
    with pytest.raises(BadImageFile, match="holds no pictures"):
        Archive(pack(tmp_path / "empty.zip", {}), 32)
    with zipfile.ZipFile(tmp_path / "broken.zip", "w") as file:
        file.writestr("a/broken.png", "no picture")
    with pytest.raises(BadImageFile, match=r"a/broken\.png' in .*broken\.zip"):
        Archive(tmp_path / "broken.zip", 32)[0]


def test_batches_are_the_same_in_any_order_and_without_workers(archive):
    config = TrainConfig(crop=32, batch=4, palettes=1.0, aging=0.5)
    ahead = PictureSampler([Archive(archive, 64)], config, LabCodec(), palettes=True)
    pictures = list(Archive(archive, 64))
    plain = PictureSampler([pictures], config, LabCodec(), palettes=True)
    for step in (0, 1, 2, 40, 3):
        batch, same = ahead.batch(step), plain.batch(step)
        for part in ("source", "target", "palette"):
            assert torch.equal(getattr(batch, part), getattr(same, part))
    assert threading.active_count() < 40


def test_palettes_fit_the_crops_that_they_are_given_with():
    """Crops are put in order of size; each keeps the palette of its own picture."""
    colors = [(200, 40, 40), (40, 160, 40), (40, 40, 200), (190, 190, 40)]
    sizes = (60, 70, 80, 90)
    pictures = [
        to_lab(Picture(np.full((side, side, 3), color, np.uint8)))
        for side, color in zip(sizes, colors, strict=True)
    ]
    config = TrainConfig(crop=32, batch=32, palettes=1.0, seed=2)
    sampler = PictureSampler(
        [[picture] for picture in pictures],
        config,
        LabCodec(),
        palettes=True,
    )
    batch = sampler.batch(0)
    tinted = batch.palette[:, -2] == 1
    tint = batch.palette[tinted, -6:-4] / 4
    mean = batch.target.mean((2, 3))[tinted]
    assert (tint - mean).norm(dim=1).max() < 0.25  # taken a little wrong
    assert torch.corrcoef(torch.stack([tint[:, 0], mean[:, 0]]))[0, 1] > 0.9


def test_a_palette_that_is_not_given_says_nothing(archive):
    pictures = list(Archive(archive, 64))

    def told(share):
        config = TrainConfig(crop=32, batch=64, palettes=share)
        sampler = PictureSampler([pictures], config, LabCodec(), palettes=True)
        return sampler.batch(0).palette

    assert told(0.0) is None
    half = told(0.5)
    missing = (half[:, -3:-1] == 0).all(1)
    assert 0.2 < missing.float().mean() < 0.8
    assert not half[missing].any()


def test_a_real_photograph_survives_packing(tmp_path):
    (data, _, _), *_ = sample_data.photograph()
    rgb = np.repeat(np.asarray(data)[..., None], 3, -1)
    pictures = Archive(pack(tmp_path / "one.zip", {"a.png": rgb}), 128)
    assert min(pictures[0].color.shape[:2]) == 128
    assert np.abs(pictures[0].color[..., 1:].astype(int) - AB_BYTES).max() <= 1
