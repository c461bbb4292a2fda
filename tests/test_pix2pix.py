"""Generators of the PyTorch pix2pix code give here what they give there."""

import hashlib
import io
import os
import pickle
import shutil
import struct
import zipfile
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage import data

from napari_colorgan.checkpoints.pix2pix import read_pix2pix, write_pix2pix
from napari_colorgan.checkpoints.pth import weights_of
from napari_colorgan.color import LabCodec, gray_to_lightness
from napari_colorgan.errors import BadSetting, CheckpointError
from napari_colorgan.inference.colorize import colorize, colorize_region
from napari_colorgan.inference.colorizer import Colorizer
from napari_colorgan.inference.intensity import color_to_gray
from napari_colorgan.inference.statistics import StatisticsMeter
from napari_colorgan.models import GeneratorSpec, build
from napari_colorgan.models.patchgan import PatchDiscriminator
from napari_colorgan.training.fine_tune import fine_tune

GOLDENS = Path(__file__).parent / "goldens"
CPU = torch.device("cpu")
COLORIZER = "unet256_batch_1to2"
NAMES = [
    COLORIZER,
    "unet256_batch_3to3",
    "unet256_instance_3to3",
    "resnet6_instance_3to3",
    "resnet9_instance_3to3",
]
EARLY = "legacy/resnet9_instance_nodrop_with_running_stats_net_G.pth"


def pth(name):
    return GOLDENS / f"{name}_net_G.pth"


def state_dict(name):
    return torch.load(pth(name), weights_only=True)


def saved(tmp_path, content, name="net_G.pth", **options):
    torch.save(content, tmp_path / name, **options)
    return tmp_path / name


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def predicted(checkpoint, x):
    """What the generator makes of x, in the statistics mode of the checkpoint."""
    generator, x = checkpoint.generator(), torch.from_numpy(x)
    with torch.no_grad():
        if checkpoint.metadata.statistics == "stored":
            return generator(x).numpy()
        found = StatisticsMeter(generator).measure(x)
        return torch.func.functional_call(generator, found, x).numpy()


# -- as the reference


@pytest.mark.parametrize("name", NAMES)
def test_output_is_that_of_the_reference(name):
    golden = np.load(GOLDENS / f"{name}.npz")
    picture = predicted(read_pix2pix(pth(name)), golden["x"])
    assert np.abs(picture - golden["y_testmode_dropout_off"]).max() < 1e-5
    assert np.ptp(picture) > 1


@pytest.mark.parametrize("name", [n for n in NAMES if "instance" in n])
def test_a_generator_called_by_hand_normalises_by_its_input(name):
    golden = np.load(GOLDENS / f"{name}.npz")
    generator = read_pix2pix(pth(name)).generator()
    with torch.no_grad():
        picture = generator(torch.from_numpy(golden["x"])).numpy()
    assert np.abs(picture - golden["y_testmode_dropout_off"]).max() < 1e-5


@pytest.mark.parametrize("name", [n for n in NAMES if "batch" in n])
def test_output_by_stored_statistics_is_that_of_the_reference(name):
    golden = np.load(GOLDENS / f"{name}.npz")
    stored = predicted(read_pix2pix(pth(name), statistics="stored"), golden["x"])
    assert np.abs(stored - golden["y_eval"]).max() < 1e-5
    assert np.abs(stored - golden["y_testmode_dropout_off"]).max() > 0.1


def test_statistics_that_early_instance_normalisation_kept_are_ignored():
    golden = np.load(GOLDENS / "legacy" / "p2p_resnet9_instance_3to3_nodrop.npz")
    checkpoint = read_pix2pix(GOLDENS / EARLY)
    assert checkpoint.metadata.options["norm"] == "instance"
    for x, y in (("x", "y_eval"), ("x_rect", "y_eval_rect")):
        assert np.abs(predicted(checkpoint, golden[x]) - golden[y]).max() < 1e-5


@pytest.mark.parametrize("statistics", ["picture", "stored"])
def test_a_colorizer_computes_what_the_reference_does(statistics):
    golden = np.load(GOLDENS / f"{COLORIZER}.npz")
    colorizer = Colorizer(read_pix2pix(pth(COLORIZER), statistics=statistics), CPU)
    x = torch.from_numpy(golden["x"])
    colorizer.codec.encode = lambda gray: gray  # the golden is one that is encoded
    found = colorizer.predict(x, colorizer.measure(lambda: x)).numpy()
    name = {"picture": "y_testmode_dropout_off", "stored": "y_eval"}[statistics]
    assert np.abs(found - golden[name]).max() < 1e-5


def test_lab_is_scaled_as_in_the_reference():
    golden = np.load(GOLDENS / "lab_scaling.npz")
    rgb = torch.from_numpy(golden["rgb"] / 255).float().permute(2, 0, 1)[None]
    gray = torch.from_numpy(color_to_gray(golden["rgb"]))[None, None]
    assert np.abs(LabCodec().encode(gray)[0, 0].numpy() - golden["A"]).max() < 1e-4
    ab = LabCodec().target(rgb)[0].permute(1, 2, 0).numpy()
    assert np.abs(ab - golden["B"]).max() < 1e-4


# -- what a file holds


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (COLORIZER, ("unet", "lab", 1, 2, {"depth": 8, "norm": "batch"})),
        ("unet256_batch_3to3", ("unet", "rgb", 3, 3, {"depth": 8, "norm": "batch"})),
        (
            "resnet6_instance_3to3",
            ("resnet", "rgb", 3, 3, {"blocks": 6, "norm": "instance"}),
        ),
        (
            "resnet9_instance_3to3",
            ("resnet", "rgb", 3, 3, {"blocks": 9, "norm": "instance"}),
        ),
    ],
)
def test_the_architecture_is_told_by_names_and_shapes(name, expected):
    about = read_pix2pix(pth(name)).metadata
    generator, codec, in_channels, out_channels, options = expected
    assert (about.generator, about.codec) == (generator, codec)
    assert about.options["in_channels"] == in_channels
    assert about.options["out_channels"] == out_channels
    assert about.options["width"] == 8
    assert options.items() <= about.options.items()


@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
@pytest.mark.parametrize("dropout", [True, False])
@pytest.mark.parametrize(
    ("name", "size"),
    [*(("unet", {"depth": n}) for n in (5, 7, 10)), ("resnet", {"blocks": 1})],
)
def test_every_architecture_goes_out_and_comes_in(
    tmp_path, make_checkpoint, name, size, norm, dropout
):
    options = {
        "in_channels": 3,
        "out_channels": 3,
        "width": 1,
        "norm": norm,
        "dropout": dropout,
    } | size
    torch.manual_seed(1)
    weights = build(GeneratorSpec(name, options)).state_dict()
    made = make_checkpoint("unet")
    made = replace(
        made,
        metadata=replace(made.metadata, generator=name, options=options, codec="rgb"),
        weights=weights,
    )
    write_pix2pix(made, tmp_path / "net_G.pth")
    found = read_pix2pix(tmp_path / "net_G.pth", dropout=dropout)
    assert found.metadata.generator == name
    assert found.metadata.options == options
    assert same(found.weights, weights)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_has_names_shapes_and_values_of_the_reference(tmp_path, name):
    write_pix2pix(read_pix2pix(pth(name)), tmp_path / "net_G.pth")
    written, original = torch.load(tmp_path / "net_G.pth"), state_dict(name)
    assert list(written) == list(original)
    assert same(written, original)
    assert all(written[k].dtype == original[k].dtype for k in written)


def test_weights_come_back_bit_for_bit(tmp_path, make_checkpoint):
    half = make_checkpoint("resnet", {"norm": "batch", "blocks": 3}, name="mine")
    weights = {  # as a fine-tuning saves them
        k: v.half() if v.is_floating_point() else v for k, v in half.weights.items()
    }
    write_pix2pix(replace(half, weights=weights), tmp_path / "a.pth")
    again = read_pix2pix(tmp_path / "a.pth")
    assert same(again.weights, {k: v.to(again.weights[k]) for k, v in weights.items()})
    write_pix2pix(again, tmp_path / "b.pth")
    assert same(torch.load(tmp_path / "a.pth"), torch.load(tmp_path / "b.pth"))


# -- variants


@pytest.mark.parametrize(
    "prefix", ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."]
)
def test_prefixes_of_wrappers_are_taken_off(tmp_path, prefix):
    renamed = OrderedDict((prefix + k, v) for k, v in state_dict(COLORIZER).items())
    found = read_pix2pix(saved(tmp_path, renamed))
    assert same(found.weights, read_pix2pix(pth(COLORIZER)).weights)


def test_counts_of_batches_may_be_missing(tmp_path):
    weights = state_dict(COLORIZER)
    kept = {k: v for k, v in weights.items() if not k.endswith("num_batches_tracked")}
    found = read_pix2pix(saved(tmp_path, kept))
    golden = np.load(GOLDENS / f"{COLORIZER}.npz")
    output = predicted(found, golden["x"])
    assert np.abs(output - golden["y_testmode_dropout_off"]).max() < 1e-5


def test_files_of_torch_before_1_6_are_read(tmp_path):
    weights = state_dict(COLORIZER)
    old = saved(tmp_path, weights, _use_new_zipfile_serialization=False)
    assert old.read_bytes()[:2] != b"PK"
    assert same(read_pix2pix(old).weights, read_pix2pix(pth(COLORIZER)).weights)


@pytest.mark.filterwarnings("always")
def test_a_pickle_of_another_protocol_is_refused_before_torch_warns_of_it(
    tmp_path, recwarn
):
    old = saved(tmp_path, state_dict(COLORIZER), _use_new_zipfile_serialization=False)
    content = bytearray(old.read_bytes())
    content[content.rindex(b"\x80\x02ccollections") + 1] = 34
    old.write_bytes(content)
    with pytest.raises(CheckpointError, match="damaged"):
        read_pix2pix(old)
    assert not [each for each in recwarn if "protocol" in str(each.message)]


def test_half_precision_and_parameters_are_read(tmp_path):
    weights = state_dict("resnet6_instance_3to3")
    half = {k: torch.nn.Parameter(v.half()) for k, v in weights.items()}
    found = read_pix2pix(saved(tmp_path, half)).weights
    assert torch.equal(found["head.0.bias"], weights["model.23.bias"].half().float())


def test_a_file_of_a_cyclegan_is_one_of_a_generator(tmp_path):
    path = tmp_path / "latest_net_G_A.pth"
    shutil.copy(pth("resnet9_instance_3to3"), path)
    assert read_pix2pix(path).metadata.options["blocks"] == 9


# -- options beside the file


@pytest.fixture
def run_folder(tmp_path):
    """A colorizer with the options of its training, as the reference leaves them."""
    shutil.copytree(GOLDENS / "with_options", tmp_path / "run")
    shutil.copy(pth(COLORIZER), tmp_path / "run" / "latest_net_G.pth")
    return tmp_path / "run"


def test_options_beside_the_file_tell_how_pictures_were_seen(run_folder):
    about = read_pix2pix(run_folder / "latest_net_G.pth").metadata
    assert (about.context, about.working_size) == ("whole", 256)
    assert about.options["dropout"]
    assert about.training == {
        "model": "colorization",
        "direction": "AtoB",
        "preprocess": "resize_and_crop",
        "load_size": "286",
        "crop_size": "256",
    }


def test_without_options_windows_are_seen_at_full_resolution():
    about = read_pix2pix(pth(COLORIZER)).metadata
    assert (about.context, about.training) == ("local", {})
    assert about.options["dropout"]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("no_dropout: False", "no_dropout: True", {"dropout": False}),
        ("resize_and_crop", "crop", {"context": "local"}),
        ("resize_and_crop", "scale_width", {"context": "whole"}),
        ("crop_size: 256", "crop_size: 512", {"working_size": 512}),
        ("crop_size: 256", "crop_size: 9999", {"working_size": 256}),
        ("ngf: 8", "ngf: 64", {"context": "local", "training": {}}),  # another model's
    ],
)
def test_each_option_counts(run_folder, old, new, expected):
    for path in run_folder.glob("*_opt.txt"):
        path.write_text(path.read_text().replace(old, new))
    about = read_pix2pix(run_folder / "latest_net_G.pth").metadata
    found = {"dropout": about.options["dropout"], "context": about.context}
    found |= {"working_size": about.working_size, "training": about.training}
    assert expected.items() <= found.items()


def test_what_is_said_goes_before_the_options(run_folder):
    about = read_pix2pix(
        run_folder / "latest_net_G.pth",
        context="local",
        statistics="stored",
        dropout=False,
        license="CC0-1.0",
    ).metadata
    assert (about.context, about.statistics) == ("local", "stored")
    assert (about.options["dropout"], about.license) == (False, "CC0-1.0")


def test_broken_options_do_no_harm(run_folder):
    (run_folder / "train_opt.txt").write_bytes(b"\xff\0 \n" * 40_000)
    (run_folder / "test_opt.txt").unlink()
    assert read_pix2pix(run_folder / "latest_net_G.pth").metadata.context == "local"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such pipes")
def test_options_that_are_a_pipe_are_not_waited_for(run_folder):
    (run_folder / "train_opt.txt").unlink()
    os.mkfifo(run_folder / "train_opt.txt")
    read_pix2pix(run_folder / "latest_net_G.pth")


def test_provenance_names_the_file_and_its_sha256(tmp_path):
    path = tmp_path / "latest_net_G.pth"
    shutil.copy(pth(COLORIZER), path)
    about = read_pix2pix(path).metadata
    assert hashlib.sha256(path.read_bytes()).hexdigest() in about.provenance
    assert "'latest_net_G.pth'" in about.provenance
    assert str(tmp_path) not in about.provenance
    assert about.license == ""


def test_dropout_of_a_resnet_is_seen_and_may_be_changed(tmp_path, make_checkpoint):
    made = make_checkpoint("resnet", {"dropout": True})
    write_pix2pix(made, tmp_path / "net_G.pth")
    for dropout, expected in ((None, True), (False, False), (True, True)):
        found = read_pix2pix(tmp_path / "net_G.pth", dropout=dropout)
        assert found.metadata.options["dropout"] is expected
        assert same(found.weights, made.weights)


def test_instance_normalisation_has_no_stored_statistics():
    with pytest.raises(BadSetting, match=r"statistics is 'stored'.*'picture'"):
        read_pix2pix(pth("unet256_instance_3to3"), statistics="stored")


# -- used like any other model


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(1, 1), (37, 91), (301, 257)])
def test_pictures_of_any_size_are_colored(name, shape):
    gray = data.camera()[100 : 100 + shape[0], 100 : 100 + shape[1]]
    assert colorize(gray, read_pix2pix(pth(name))).shape == (*shape, 3)


@pytest.mark.parametrize("context", ["local", "whole"])
def test_gray_values_of_any_type_are_scaled(context):
    colorizer = Colorizer(read_pix2pix(pth(COLORIZER)), CPU, context=context)
    gray = data.camera()[:200, :240]
    expected = colorize(gray, colorizer).astype(int)
    assert np.ptp(expected, axis=-1).mean() > 10
    deep = colorize(gray.astype(np.uint16) * 16, colorizer, limits=(0, 255 * 16))
    real = colorize(gray / 255.0, colorizer, limits=(0, 1))
    for result in (deep, real):
        assert np.abs(result - expected).max() <= 1


def test_a_colorizer_keeps_the_lightness_of_the_picture():
    gray = data.camera()[:200, :240]
    result = colorize(gray, read_pix2pix(pth(COLORIZER)))
    lightness = gray_to_lightness(torch.from_numpy(gray / 255))
    found = gray_to_lightness(torch.from_numpy(color_to_gray(result)))
    assert (lightness - found).abs().median() < 1


@pytest.mark.parametrize("name", [COLORIZER, "resnet6_instance_3to3"])
def test_a_region_alone_equals_the_region_of_the_whole(name):
    colorizer = Colorizer(read_pix2pix(pth(name)), CPU)
    gray = np.concatenate([data.moon(), data.brick(), data.grass(), data.camera()], 1)
    gray, region = gray[:150, :1601], (slice(20, 140), slice(1001, 1301))
    alone = colorize_region(gray, colorizer, region).astype(int)
    assert np.abs(alone - colorize(gray, colorizer)[region]).max() <= 1


@pytest.mark.parametrize("name", [COLORIZER, "resnet6_instance_3to3"])
@pytest.mark.parametrize("task", ["colorization", "translation"])
def test_an_imported_model_learns_and_goes_out_again(tmp_path, photo, name, task):
    start = read_pix2pix(pth(name), license="CC0-1.0")
    made = fine_tune(
        [photo],
        start,
        task=task,
        steps=4,
        validations=1,
        patch=64,
        batch=2,
        gan_phase=0.5,
        discriminator_width=4,
        precision="float32",
        device="cpu",
    )
    about, last = made.last.metadata, made.last
    assert about.codec == {"colorization": "lab", "translation": "rgb"}[task]
    assert about.options["in_channels"] == start.metadata.options["in_channels"]
    assert about.license == "CC0-1.0"
    first = "down.0.0.weight"
    change = (last.weights[first].float() - start.weights[first]).abs()
    assert 0 < change.max() < 0.1
    assert colorize(photo[..., 0], last).shape == photo.shape
    write_pix2pix(last, tmp_path / "mine.pth")
    again = read_pix2pix(tmp_path / "mine.pth").weights
    learned = {k for k in again if not k.endswith(("_mean", "_var", "_tracked"))}
    assert all(torch.equal(again[k], last.weights[k].float()) for k in learned)


# -- refused


class Run:
    """What a malicious pickle would do."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


class Overridden:
    """Unpickled, a dictionary with an attribute instead of a method."""

    def __reduce__(self):
        return OrderedDict, (), {"items": "text"}, None, iter([("a", 1)])


def zipped(tmp_path, pickled, parts=(), compression=zipfile.ZIP_STORED):
    """A file in the layout of torch.save with any pickle."""
    path = tmp_path / "net_G.pth"
    with zipfile.ZipFile(path, "w", compression) as file:
        file.writestr("archive/data.pkl", pickled)
        file.writestr("archive/version", "3\n")
        for name, content in parts:
            file.writestr(f"archive/{name}", content)
    return path


def malicious(tmp_path):
    return zipped(tmp_path, pickle.dumps({"a": Run(tmp_path / "marker")}, 2))


def malicious_old(tmp_path):
    weights = {"a": torch.zeros(1000), "b": Run(tmp_path / "marker")}
    return saved(tmp_path, weights, _use_new_zipfile_serialization=False)


def bare_pickle(tmp_path):
    path = tmp_path / "net_G.pth"
    path.write_bytes(pickle.dumps(Run(tmp_path / "marker")))
    return path


def whole_network(tmp_path):
    return saved(tmp_path, torch.nn.Sequential(torch.nn.Conv2d(1, 1, 1)))


def torchscript(tmp_path):
    torch.jit.script(torch.nn.Conv2d(1, 1, 1)).save(tmp_path / "net_G.pth")
    return tmp_path / "net_G.pth"


def exported_program(tmp_path):
    program = torch.export.export(torch.nn.Conv2d(1, 1, 1), (torch.zeros(1, 1, 4, 4),))
    torch.export.save(program, tmp_path / "net_G.pt2")
    return tmp_path / "net_G.pt2"


def zip_bomb(tmp_path):
    path = saved(tmp_path, {"model.model.0.weight": torch.zeros(1000)})
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("net_G/data/1", bytes(1 << 26), zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 1 << 17
    return path


def zip_bomb_that_declares_little(tmp_path):
    path = zip_bomb(tmp_path)
    size, content = (1 << 26).to_bytes(4, "little"), path.read_bytes()
    assert content.count(size) == 2  # beside the data, and in the directory
    path.write_bytes(content.replace(size, (4).to_bytes(4, "little")))
    return path


def one_part_many_times(tmp_path):
    path = saved(tmp_path, {"model.model.0.weight": torch.zeros(1 << 12)})
    with zipfile.ZipFile(path, "a") as file:
        largest = max(file.filelist, key=lambda entry: entry.file_size)
        file.filelist += 50 * [largest]
        file.comment = b"so that the directory is written again"
    return path


def no_strides(tmp_path):
    return saved(
        tmp_path, {"model.model.0.weight": torch.zeros(1).expand(1 << 10, 1 << 30)}
    )


def no_strides_in_small_numbers(tmp_path):
    side = 1 << 9
    return saved(
        tmp_path,
        {"model.model.0.weight": torch.zeros(1).expand(side, side, side, side)},
    )


def shared_storage(tmp_path):
    weight = torch.zeros(1 << 12)
    return saved(tmp_path, {f"weight{n}": weight for n in range(100)})


def large_in_an_old_file(tmp_path):
    weights = {"model.model.0.weight": torch.zeros(70_000)}
    path = saved(tmp_path, weights, _use_new_zipfile_serialization=False)
    content = path.read_bytes()
    declared = b"J" + struct.pack("<i", 70_000)
    assert declared in content
    path.write_bytes(content.replace(declared, b"J" + struct.pack("<i", 2**31 - 1)))
    return path


def on_meta(tmp_path):
    return saved(
        tmp_path, {"model.model.0.weight": torch.zeros(1 << 40, device="meta")}
    )


def pairs_of_pairs(tmp_path):
    """To look up such a name would take for ever."""
    pairs = b"K\x01" + b"q\x00h\x00\x86" * 60
    return zipped(tmp_path, b"\x80\x02}" + pairs + b"K\x01s.")


def many_sides(tmp_path):
    return saved(tmp_path, {"a": torch.zeros([1] * 60)})


def much_more(tmp_path):
    path = tmp_path / "net_G.pth"
    path.write_bytes(pth(COLORIZER).read_bytes())
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("net_G/data/999", bytes(1 << 25))
    return path


def much_more_in_an_old_file(tmp_path):
    weights = state_dict(COLORIZER)
    path = saved(tmp_path, weights, _use_new_zipfile_serialization=False)
    with path.open("r+b") as file:
        file.truncate(1 << 29)  # a hole
    return path


def truncated(tmp_path):
    path = tmp_path / "net_G.pth"
    path.write_bytes(pth(COLORIZER).read_bytes()[:-5000])
    return path


def truncated_old(tmp_path):
    weights = state_dict(COLORIZER)
    path = saved(tmp_path, weights, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes()[:-5000])
    return path


def damaged(tmp_path):
    content = bytearray(pth(COLORIZER).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "net_G.pth").write_bytes(content)
    return tmp_path / "net_G.pth"


def web_page(tmp_path):
    (tmp_path / "net_G.pth").write_text("<html>Please log in</html>")
    return tmp_path / "net_G.pth"


def pair(tmp_path):
    both = {"netG_A": state_dict(COLORIZER), "netG_B": state_dict(COLORIZER)}
    return saved(tmp_path, both)


def methods_overridden(tmp_path):
    return saved(tmp_path, Overridden())


def one_tensor(tmp_path):
    return saved(tmp_path, torch.zeros(3))


def discriminator(tmp_path):
    judge = PatchDiscriminator(6, width=8).layers.state_dict()
    return saved(tmp_path, {f"model.{k}": v for k, v in judge.items()})


def pixel_discriminator(tmp_path):
    shapes = {0: (8, 6, 1, 1), 2: (16, 8, 1, 1), 3: (16,), 5: (1, 16, 1, 1)}
    return saved(
        tmp_path, {f"net.{n}.weight": torch.zeros(s) for n, s in shapes.items()}
    )


def something_else(tmp_path):
    return saved(tmp_path, torch.nn.Linear(2, 2).state_dict())


def resize_convolutions(tmp_path):
    weights = state_dict("resnet9_instance_3to3")
    moved = {"model.19": "model.21", "model.22": "model.26", "model.26": "model.31"}
    renamed = {}
    for name, value in weights.items():
        layer, _, kind = name.rpartition(".")
        transposed = layer in ("model.19", "model.22") and kind == "weight"
        renamed[f"{moved.get(layer, layer)}.{kind}"] = (
            value.transpose(0, 1).contiguous() if transposed else value
        )
    return saved(tmp_path, renamed)


def other_layers(tmp_path):
    weights = state_dict(COLORIZER)
    weights["model.model.0.gain"] = torch.ones(1)
    del weights["model.model.3.bias"]
    return saved(tmp_path, weights)


def other_shapes(tmp_path):
    weights = state_dict(COLORIZER)
    weights["model.model.3.bias"] = torch.zeros(5)
    return saved(tmp_path, weights)


def four_channels(tmp_path):
    weights = state_dict(COLORIZER)
    weights["model.model.0.weight"] = torch.zeros(8, 4, 4, 4)
    return saved(tmp_path, weights)


def shallow(tmp_path):
    return saved(
        tmp_path,
        {
            "model.model.0.weight": torch.zeros(8, 1, 4, 4),
            "model.model.3.weight": torch.zeros(16, 2, 4, 4),
        },
    )


def not_a_number(tmp_path):
    weights = state_dict(COLORIZER)
    weights["model.model.3.bias"][0] = torch.nan
    return saved(tmp_path, weights)


def whole_numbers(tmp_path):
    weights = state_dict(COLORIZER)
    weights["model.model.3.bias"] = torch.ones(2, dtype=torch.int64)
    return saved(tmp_path, weights)


def absent(tmp_path):
    return tmp_path / "no such file.pth"


def a_folder(tmp_path):
    return tmp_path


CORPUS = {
    malicious: rf"Python objects \('{os.name}.mkdir'\).*state_dict",
    malicious_old: rf"Python objects \('{os.name}.mkdir'\).*state_dict",
    bare_pickle: "is a Python pickle.*could run any program.*state_dict",
    whole_network: r"Python objects \('torch.nn.modules.container.Sequential.*state",
    torchscript: "is TorchScript: a program.*never run.*state_dict",
    exported_program: r"torch.export wrote \(.pt2\).*never run.*state_dict",
    zip_bomb: "declares more than it holds.*Fetch",
    zip_bomb_that_declares_little: "declares more than it holds.*Fetch",
    one_part_many_times: "declares more than it holds.*Fetch",
    no_strides: "declares more than it holds.*Fetch",
    no_strides_in_small_numbers: "declares more than it holds.*Fetch",
    shared_storage: "declares more than it holds.*Fetch",
    large_in_an_old_file: "declares more than it holds.*Fetch",
    on_meta: r"Python objects \('torch._utils._rebuild_meta.*state_dict",
    pairs_of_pairs: "is damaged.*Fetch it again",
    many_sides: "is damaged.*Fetch it again",
    much_more: "bytes, but weights in it only.*save the weights alone",
    much_more_in_an_old_file: "bytes, but weights in it only.*save the weights alone",
    truncated: "is damaged.*Fetch it again",
    truncated_old: "is damaged.*Fetch it again",
    damaged: "is damaged.*Fetch it again",
    web_page: "is a web page.*in a browser",
    pair: r"weights are in 'netG_A', 'netG_B'.*torch.load\(FILE\)\['netG_A'\]",
    methods_overridden: r"several things \('a'\) and no weights.*Choose",
    one_tensor: "no weights by name but 'Tensor'.*state_dict",
    discriminator: "is a discriminator.*Choose the file of the generator",
    pixel_discriminator: "is a discriminator.*Choose the file of the generator",
    something_else: r"no generator.*weight \(2 x 2\).*expected a U-Net.*or a ResNet",
    resize_convolutions: "enlarges by resizing.*expected the transposed",
    other_layers: r"1 are missing \('model.model.3.bias'\) and 1 are unknown \('model"
    r".model.0.gain'\)",
    other_shapes: r"'model.model.3.bias'.*has the shape \(5,\), expected \(2,\)",
    four_channels: "reads 4 channels and writes 2",
    shallow: "cannot be rebuilt: depth is 1; it must be a whole number from 5 to 10",
    not_a_number: "'model.model.3.bias'.*no finite numbers",
    whole_numbers: "'model.model.3.bias'.*no finite numbers",
    absent: "cannot be read: No such file",
    a_folder: "cannot be read: it is a folder, not a file",
}


@pytest.mark.parametrize("make", CORPUS, ids=lambda make: make.__name__)
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_what_is_no_generator_is_refused_in_a_sentence(tmp_path, make):
    path = make(tmp_path)
    with pytest.raises(CheckpointError, match=CORPUS[make]) as error:
        read_pix2pix(path)
    text = str(error.value)
    assert str(path) in text and text.endswith(".")
    assert "\n" not in text and len(text) < 500 + len(str(path))
    assert not (tmp_path / "marker").exists()


def test_the_marker_would_appear(tmp_path):
    # so that its absence above means something
    pickle.loads(pickle.dumps(Run(tmp_path / "marker")))
    assert (tmp_path / "marker").exists()


def test_little_is_read_of_what_is_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr("napari_colorgan.checkpoints.bounded._MAX_FILE", 1000)
    with pytest.raises(CheckpointError, match="which no generator needs"):
        read_pix2pix(pth(COLORIZER))


def test_torch_sees_only_what_was_checked(monkeypatch, tmp_path):
    """Two readers may find two directories in one file; torch gets one of ours."""
    content = pth(COLORIZER).read_bytes()
    load, seen = torch.load, []

    def spy(file, **options):
        seen.append((file.getvalue(), options))
        return load(file, **options)

    monkeypatch.setattr(torch, "load", spy)
    weights_of(content, Path("net_G.pth"))
    ((given, options),) = seen
    assert options == {"map_location": "cpu", "weights_only": True}
    with zipfile.ZipFile(io.BytesIO(given)) as file:
        assert all(e.compress_type == zipfile.ZIP_STORED for e in file.infolist())


@pytest.mark.parametrize("start", [b"PK\x03\x04", b""])
def test_no_damage_ends_in_another_error(start):
    content = pth("resnet6_instance_3to3").read_bytes()
    random = np.random.default_rng(0)
    for _ in range(150):
        mutated = bytearray(content)
        # where names and sizes are: both ends
        for place in random.integers(-9000, 9000, 4):
            mutated[place] = random.integers(256)
        mutated[: len(start)] = start
        try:
            weights_of(bytes(mutated), Path("net_G.pth"))
        except CheckpointError as error:
            assert str(error).endswith(".")


# -- export


def test_a_compact_generator_cannot_be_written(tmp_path, make_checkpoint):
    with pytest.raises(CheckpointError, match=r"'tiny' is a compact.*U-Nets"):
        write_pix2pix(make_checkpoint("compact", name="tiny"), tmp_path / "a.pth")
    assert list(tmp_path.iterdir()) == []


def test_another_epsilon_cannot_be_written(tmp_path, make_checkpoint):
    notebook = make_checkpoint("unet", {"norm_eps": 1e-3}, name="tiny")
    with pytest.raises(CheckpointError, match=r"'tiny' normalises with epsilon 0.001"):
        write_pix2pix(notebook, tmp_path / "a.pth")
    assert list(tmp_path.iterdir()) == []


def test_dropout_before_the_normalisation_moves_no_name(tmp_path, make_checkpoint):
    options = {"depth": 6, "dropout": True, "dropout_first": True}
    made = make_checkpoint("unet", options)
    write_pix2pix(made, tmp_path / "a.pth")
    found = read_pix2pix(tmp_path / "a.pth")
    pairs = zip(made.weights.values(), found.weights.values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_a_folder_that_is_not_there_leaves_no_file(tmp_path, make_checkpoint):
    with pytest.raises(CheckpointError, match="cannot be written"):
        write_pix2pix(make_checkpoint("unet"), tmp_path / "no" / "a.pth")
    assert list(tmp_path.iterdir()) == []
