"""Checkpoints come back as they were written, or are refused with one clear error."""

import dataclasses
import json
import os
import pickle
import random
import stat

import pytest
import safetensors.torch
import torch

from napari_colorgan.checkpoints import zoo
from napari_colorgan.checkpoints.atomic import replacing
from napari_colorgan.checkpoints.enclosed import Enclosed, enclosed_in
from napari_colorgan.checkpoints.metadata import (
    DIGEST_KEY,
    MAX_HEADER,
    METADATA_KEY,
    SCHEMA,
    Metadata,
    read_header,
    read_metadata,
)
from napari_colorgan.checkpoints.store import Checkpoint, load, save, to_bytes
from napari_colorgan.errors import CheckpointError, ColorganWarning, UnknownModel
from napari_colorgan.job import finish

UNET = {"depth": 5, "width": 1, "norm": "none", "dropout": False}


@pytest.fixture(scope="module")
def checkpoint(make_checkpoint):
    return make_checkpoint("unet", UNET, description="a test", license="CC0-1.0")


@pytest.fixture(scope="module")
def normalised(make_checkpoint):
    """One whose layers hold statistics, and count the pictures they are of."""
    options = UNET | {"norm": "instance"}
    return make_checkpoint("unet", options, statistics="picture")


@pytest.fixture
def file(checkpoint, tmp_path):
    path = tmp_path / "small.safetensors"
    save(checkpoint, path)
    return path


def same(a, b):
    return (
        a.metadata == b.metadata
        and a.weights.keys() == b.weights.keys()
        and all(torch.equal(a.weights[k], b.weights[k]) for k in a.weights)
    )


def split(content):
    """Header and tensors of a safetensors file."""
    end = 8 + int.from_bytes(content[:8], "little")
    return json.loads(content[8:end]), content[end:]


def joined(header, tensors):
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + tensors


def with_metadata(content, change):
    """The file with its metadata changed, its digest left as it is."""
    header, tensors = split(content)
    values = json.loads(header["__metadata__"][METADATA_KEY])
    change(values)
    header["__metadata__"][METADATA_KEY] = json.dumps(values)
    return joined(header, tensors)


# -- there and back


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_a_checkpoint_comes_back_as_it_was_saved(checkpoint, tmp_path, dtype):
    weights = {k: v.to(dtype) for k, v in checkpoint.weights.items()}
    saved = Checkpoint(checkpoint.metadata, weights)
    save(saved, tmp_path / "a.safetensors")
    loaded = load(tmp_path / "a.safetensors")
    assert same(loaded, saved)
    assert loaded.digest == saved.digest
    assert read_metadata(tmp_path / "a.safetensors") == saved.metadata


@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
def test_the_generator_gives_the_same_colors_after_a_round_trip(
    make_checkpoint, tmp_path, norm
):
    saved = make_checkpoint("unet", {"norm": norm})
    save(saved, tmp_path / "a.safetensors")
    source = torch.rand(1, 1, 64, 64)
    loaded = load(tmp_path / "a.safetensors").generator()
    assert not loaded.training
    with torch.no_grad():
        assert torch.equal(loaded(source), saved.generator()(source))


def test_half_precision_weights_make_a_float32_generator(checkpoint):
    weights = {k: v.half() for k, v in checkpoint.weights.items()}
    network = Checkpoint(checkpoint.metadata, weights).generator()
    assert {p.dtype for p in network.parameters()} == {torch.float32}


def test_training_a_generator_leaves_its_checkpoint_alone(normalised):
    before = {k: v.clone() for k, v in normalised.weights.items()}
    with torch.no_grad():
        for value in normalised.generator().state_dict().values():
            value.add_(1)
    assert all(torch.equal(before[k], normalised.weights[k]) for k in before)


def test_paths_may_be_plain_text(checkpoint, tmp_path):
    save(checkpoint, str(tmp_path / "a.safetensors"))
    assert same(load(str(tmp_path / "a.safetensors")), checkpoint)


def test_a_loaded_checkpoint_survives_its_file(file, checkpoint):
    loaded = load(file)
    file.write_bytes(b"\0" * file.stat().st_size)
    assert same(loaded, checkpoint)


def test_content_that_has_been_read_is_checked_as_a_file_is(file, checkpoint):
    content = file.read_bytes()
    assert same(load(file, content), checkpoint)
    for other in (content[:-1], content + b"\0"):
        with pytest.raises(CheckpointError, match=f"has {len(other):,} bytes, exp"):
            load(file, other)


@pytest.mark.parametrize("statistics", ["stored", "picture"])
def test_statistics_are_held_where_the_metadata_say_so(normalised, statistics):
    network = changed(normalised, statistics=statistics).generator()
    held = {getattr(m, "holds_statistics", None) for m in network.modules()} - {None}
    assert held == {statistics == "stored"}


def test_texts_that_cannot_be_shown_are_shown_as_what_they_are(checkpoint, tmp_path):
    strange = changed(checkpoint, description="blue\x1b[2J\nor not")
    save(strange, tmp_path / "a")
    loaded = load(tmp_path / "a")
    assert loaded.metadata == strange.metadata.printable() != strange.metadata
    assert loaded.weights.keys() == strange.weights.keys()


def test_what_is_enclosed_gives_way_to_what_the_model_needs(checkpoint, tmp_path):
    whole = Enclosed("# A card\n" * 60, b"a picture" * 100)
    empty = len(to_bytes(checkpoint)) - len(split(to_bytes(checkpoint))[1])
    lengths = {}
    for spare in (3000, 1500, 400):
        long = changed(checkpoint, provenance="x" * (MAX_HEADER - empty - spare))
        save(long, tmp_path / "a", whole)
        assert same(load(tmp_path / "a"), long)
        lengths[spare] = enclosed_in(read_header(tmp_path / "a"), tmp_path)
    save(checkpoint, tmp_path / "a", Enclosed("x" * MAX_HEADER))
    cut = enclosed_in(read_header(tmp_path / "a"), tmp_path)
    assert cut.card.endswith("is left out.)\n")
    assert lengths == {3000: whole, 1500: Enclosed(whole.card), 400: Enclosed()}


# -- the digest


def test_equal_checkpoints_have_equal_digests(checkpoint):
    shuffled = dict(reversed(checkpoint.weights.items()))
    copy = Checkpoint(dataclasses.replace(checkpoint.metadata), shuffled)
    assert copy.digest == checkpoint.digest


def test_a_digest_is_of_values_however_they_lie_in_memory(checkpoint, tmp_path):
    weights = {
        name: weight.movedim(0, -1).contiguous().movedim(-1, 0).requires_grad_()
        for name, weight in checkpoint.weights.items()
    }
    other = Checkpoint(checkpoint.metadata, weights)
    assert other.digest == checkpoint.digest
    save(other, tmp_path / "a.safetensors")
    assert same(load(tmp_path / "a.safetensors"), checkpoint)
    assert "tensor" not in repr(checkpoint)  # a page for each weight


def test_every_bit_of_a_weight_changes_the_digest(checkpoint):
    name = next(iter(checkpoint.weights))
    digests = {checkpoint.digest}
    for bit in range(32):
        weight = checkpoint.weights[name].clone()
        weight.view(-1).view(torch.int32)[-1] ^= 1 << bit if bit < 31 else -(1 << 31)
        weights = {**checkpoint.weights, name: weight}
        digests.add(Checkpoint(checkpoint.metadata, weights).digest)
    assert len(digests) == 33


def test_names_types_and_shapes_change_the_digest(checkpoint):
    name, weight = next(iter(checkpoint.weights.items()))
    others = {k: v for k, v in checkpoint.weights.items() if k != name}
    variants = [
        others,
        others | {name + "x": weight},
        others | {name: weight.view(torch.int32)},
        others | {name: weight.flatten()},
    ]
    digests = {Checkpoint(checkpoint.metadata, w).digest for w in variants}
    assert len(digests | {checkpoint.digest}) == 5


def test_every_field_of_the_metadata_changes_the_digest(checkpoint):
    changes = {
        "generator": "compact",
        "options": UNET | {"width": 2},
        "codec": "rgb",
        "context": "whole",
        "working_size": 257,
        "statistics": "picture",
        "training": {"steps": 1},
    }
    digests = set()
    for field in dataclasses.fields(Metadata):
        value = changes.get(field.name, "something else")
        metadata = dataclasses.replace(checkpoint.metadata, **{field.name: value})
        digests.add(Checkpoint(metadata, checkpoint.weights).digest)
    assert checkpoint.digest not in digests
    assert len(digests) == len(dataclasses.fields(Metadata))


# -- damage


@pytest.mark.parametrize("enclosed", [None, Enclosed("# A card")])
def test_what_could_not_be_read_again_is_not_written(checkpoint, tmp_path, enclosed):
    long = changed(checkpoint, provenance="x" * MAX_HEADER)
    with pytest.raises(CheckpointError, match=r"fill more than the 1 MiB.*Shorten"):
        save(long, tmp_path / "a.safetensors", enclosed)
    assert not list(tmp_path.glob("*"))


def test_every_truncation_is_refused(file, checkpoint):
    content = file.read_bytes()
    _, tensors = split(content)
    header_end = len(content) - len(tensors)
    lengths = {0, 1, 7, 8, 9, header_end - 1, header_end, header_end + 1}
    lengths |= set(range(0, len(content), len(content) // 60)) | {len(content) - 1}
    for length in lengths:
        file.write_bytes(content[:length])
        with pytest.raises(CheckpointError, match=r"small\.safetensors"):
            load(file)


def test_a_longer_file_is_refused(file):
    file.write_bytes(file.read_bytes() + b"\0")
    with pytest.raises(CheckpointError, match="damaged"):
        load(file)


@pytest.mark.parametrize("seed", range(4))
def test_changed_bytes_never_crash_and_never_pass(file, checkpoint, seed):
    chance = random.Random(seed)
    content = file.read_bytes()
    _, tensors = split(content)
    header_end = len(content) - len(tensors)
    refused = 0
    for round_ in range(150):
        changed = bytearray(content)
        # most of the file is tensors: every other change goes to the header
        end = header_end if round_ % 2 else len(content)
        for _ in range(chance.choice((1, 1, 2, 5))):
            changed[chance.randrange(end)] = chance.randrange(256)
        file.write_bytes(changed)
        try:
            loaded = load(file)
            loaded.generator()
        except CheckpointError:
            refused += 1
        else:
            assert same(loaded, checkpoint)
    assert refused > 130


def test_a_damaged_name_of_what_is_enclosed_is_noticed(checkpoint, tmp_path):
    """Not only a damaged card: it would be missing, and nothing would say so."""
    content = to_bytes(checkpoint, Enclosed("# A card\n"))
    for name in (b"_card", b"_picture", b"_enclosed"):
        assert content.count(b"colorgan" + name) == 1
        (tmp_path / "a").write_bytes(
            content.replace(b"colorgan" + name, b"colorgan" + name.upper())
        )
        with pytest.raises(CheckpointError, match="its card or its picture is"):
            load(tmp_path / "a")


def test_swapped_tensors_are_refused(file):
    header, tensors = split(file.read_bytes())
    names = [n for n in header if n != "__metadata__"]
    first = next(
        (a, b)
        for a in names
        for b in names
        if a < b and header[a]["shape"] == header[b]["shape"]
    )
    header[first[0]], header[first[1]] = header[first[1]], header[first[0]]
    file.write_bytes(joined(header, tensors))
    with pytest.raises(CheckpointError, match="was changed"):
        load(file)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("schema", SCHEMA + 1, "version 2, .* reads version 1. Update"),
        ("schema", "1", "version '1'"),
        ("schema", True, "version True"),
        ("generator", 5, "says generator is 5"),
        ("options", [], r"says options is \[\]"),
        ("codec", "cmyk", "says codec is 'cmyk'"),
        ("context", None, "says context is None"),
        ("statistics", "moon", "says statistics is 'moon'"),
        ("working_size", 10**9, "working size outside 32 to 4096"),
        ("working_size", 256.5, "says working_size is 256.5"),
        ("working_size", True, "says working_size is True"),
        ("levels", "auto", "says levels is 'auto'"),
        ("mood", "blue", "unknown metadata: 'mood'"),
    ],
)
def test_impossible_metadata_is_refused(file, key, value, message):
    file.write_bytes(
        with_metadata(file.read_bytes(), lambda v: v.__setitem__(key, value))
    )
    for read in (load, read_metadata):
        with pytest.raises(CheckpointError, match=message):
            read(file)


@pytest.mark.parametrize("key", ["schema", "generator"])
def test_missing_metadata_is_refused(file, key):
    file.write_bytes(with_metadata(file.read_bytes(), lambda v: v.pop(key)))
    with pytest.raises(CheckpointError, match=r"unreadable|names no generator"):
        load(file)


def test_changed_metadata_is_refused_by_its_digest(file):
    changed = with_metadata(file.read_bytes(), lambda v: v.update(license="mine"))
    file.write_bytes(changed)
    with pytest.raises(CheckpointError, match=r"was changed .* SHA-256"):
        load(file)


def nested(levels):
    return json.loads("[" * levels + "]" * levels)


@pytest.mark.parametrize("key", ["options", "training"])
def test_metadata_in_each_other_are_refused(checkpoint, key, tmp_path):
    """Not when they are written again, which takes a frame for every level."""
    for levels in (3, 15, 16, 900):
        value = {"a": nested(levels)}
        text = json.dumps({"schema": SCHEMA, "generator": "unet", key: value})
        where = tmp_path / "a.safetensors"
        if levels < 15:
            assert getattr(Metadata.from_json(text, where), key) == value
            continue
        with pytest.raises(CheckpointError, match="of more than 16 levels"):
            Metadata.from_json(text, where)


@pytest.mark.parametrize("key", ["license", "working_size", "vividness", "options"])
def test_what_metadata_say_is_cut_in_a_sentence(key, tmp_path):
    value = ["x" * 10**5]
    text = json.dumps({"schema": SCHEMA, "generator": "unet", key: value})
    with pytest.raises(CheckpointError, match=rf"says {key} is \['x+\.\.\.") as error:
        Metadata.from_json(text, tmp_path)
    assert len(str(error.value)) < 500 + len(str(tmp_path))


@pytest.mark.parametrize("text", ["", "[]", "3", '"a"', "null", "{", "[" * 10**5])
def test_unreadable_metadata_is_refused(file, text):
    header, tensors = split(file.read_bytes())
    header["__metadata__"][METADATA_KEY] = text
    file.write_bytes(joined(header, tensors))
    with pytest.raises(CheckpointError, match="unreadable metadata"):
        load(file)


@pytest.mark.parametrize(
    "header",
    [
        [],
        "text",
        {},
        {"__metadata__": None},
        {"__metadata__": {}},
        {"__metadata__": {METADATA_KEY: 3, DIGEST_KEY: ""}},
        {"__metadata__": {METADATA_KEY: "{}", DIGEST_KEY: None}},
        {str(i): {} for i in range(5000)}
        | {"__metadata__": {METADATA_KEY: "{}", DIGEST_KEY: ""}},
    ],
)
def test_foreign_headers_are_refused(tmp_path, header):
    path = tmp_path / "foreign.safetensors"
    path.write_bytes(joined(header, b""))
    with pytest.raises(CheckpointError, match=r"not a (checkpoint|model).*Choose"):
        load(path)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"extra": {"dtype": "U8", "shape": [1 << 29]}}, r"1 are unknown \('extra'\)"),
        (
            {"a._hints.weight": {"dtype": "U8", "shape": [1 << 29]}},
            "are unknown",
        ),
        ({"w": {"dtype": "F4", "shape": [1]}}, "an impossible shape or type"),
        ({"w": {"dtype": "F32", "shape": [1] * 10**5}}, "an impossible shape or type"),
        ({"w": {"dtype": "F32", "shape": [-1]}}, "an impossible shape or type"),
        ({"w": 3}, "an impossible shape or type"),
        ({}, "has 536,870,912 bytes, expected"),
    ],
)
def test_what_a_file_declares_is_compared_before_it_is_read(
    file, change, sentence, monkeypatch
):
    """A hole in a file costs its sender nothing."""
    header, tensors = split(file.read_bytes())
    file.write_bytes(joined(header | change, tensors))
    with file.open("r+b") as content:
        content.truncate(1 << 29)
    monkeypatch.setattr(safetensors.torch, "load", None)
    with pytest.raises(CheckpointError, match=sentence):
        load(file)


@pytest.mark.parametrize("length", [1 << 62, (1 << 64) - 1, 1 << 21, 1, 0])
def test_absurd_header_lengths_are_refused(file, length):
    content = file.read_bytes()
    file.write_bytes(length.to_bytes(8, "little") + content[8:])
    with pytest.raises(CheckpointError, match="not a checkpoint of napari-colorgan"):
        load(file)


def test_foreign_files_are_refused(tmp_path, checkpoint):
    weights = dict(checkpoint.weights)
    torch.save(weights, tmp_path / "latest_net_G.pth")
    foreign = {
        "other.safetensors": (safetensors.torch.save(weights), "not a ch.*Choose"),
        "empty.safetensors": (b"", "is empty. Fetch it"),
        "text.safetensors": (b"This is not a model.\n" * 99, "is a text.*Choose"),
        "pickle.pth": (pickle.dumps({"a": 1}), "not a checkpoint.*import it first"),
        "zeros.safetensors": (bytes(4096), "is damaged or of an unknown.*Choose"),
        "latest_net_G.pth": (
            (tmp_path / "latest_net_G.pth").read_bytes(),
            "not a checkpoint.*import it first",
        ),
    }
    for name, (content, sentence) in foreign.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CheckpointError, match=sentence) as error:
            load(tmp_path / name)
        assert name in str(error.value)


def test_unreadable_places_are_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"absent.*No such file.*Check"):
        load(tmp_path / "absent.safetensors")
    with pytest.raises(CheckpointError, match="cannot be read"):
        load(tmp_path)
    with pytest.raises(CheckpointError, match="cannot be read"):
        load(tmp_path / ("n" * 5000))


# -- weights that do not fit their generator


def changed(checkpoint, **metadata):
    weights = dict(checkpoint.weights)
    return Checkpoint(dataclasses.replace(checkpoint.metadata, **metadata), weights)


def test_missing_and_unknown_weights_are_listed(checkpoint):
    broken = changed(checkpoint)
    name = next(iter(broken.weights))
    broken.weights["extra"] = broken.weights.pop(name)
    with pytest.raises(
        CheckpointError, match=rf"1 are missing \('{name}'\).*\('extra'\)"
    ):
        broken.generator()
    broken = Checkpoint(broken.metadata, {})
    first = ", ".join(f"'{name}'" for name in sorted(checkpoint.weights)[:3])
    with pytest.raises(CheckpointError, match=rf"missing \({first} and"):
        broken.generator()
    broken = changed(checkpoint)
    broken.weights.update({name: torch.zeros(1) for name in "gcafbed"})
    with pytest.raises(CheckpointError, match=r"\('a', 'b', 'c' and 4 more\)"):
        broken.generator()


def test_a_misshapen_weight_is_named(checkpoint):
    broken = changed(checkpoint)
    name, weight = next(iter(broken.weights.items()))
    broken.weights[name] = weight[:, :, :3]
    with pytest.raises(CheckpointError, match=rf"'{name}' has the shape .*expected"):
        broken.generator()


def test_weights_of_a_wrong_type_are_refused(checkpoint):
    for wrong in (torch.int32, torch.complex64, torch.bool):
        broken = changed(checkpoint)
        name = next(iter(broken.weights))
        broken.weights[name] = broken.weights[name].to(wrong)
        with pytest.raises(CheckpointError, match=rf"'{name}' holds"):
            broken.generator()


def test_real_and_whole_numbers_are_not_exchanged(normalised):
    others = {"real": torch.int32, "whole": torch.float32}
    for name, weight in normalised.weights.items():
        kind = "real" if weight.is_floating_point() else "whole"
        for wrong in (others[kind], torch.complex64, torch.bool):
            broken = changed(normalised)
            broken.weights[name] = weight.to(wrong)
            with pytest.raises(CheckpointError, match=rf"'{name}' .* {kind} numbers"):
                broken.check_declared()


def test_former_layers_are_left_out_and_may_not_be_large(make_checkpoint):
    """What their names end with is known, so anyone may send them."""
    plain = make_checkpoint("compact")

    def with_layer(*sides, device="meta"):
        layer = {"stem_hints.weight": torch.ones(sides, device=device)}
        return dataclasses.replace(plain, weights=plain.weights | layer)

    most = 1 << 20
    with_layer(most).check_declared()
    for sides in ((most, 2), (most + 1,)):
        with pytest.raises(CheckpointError, match=r"holds [0-9,]+ numbers that noth"):
            with_layer(*sides).check_declared()
    deepest = load("a.s", to_bytes(with_layer(*[1] * 8, device="cpu")))
    assert deepest.generator().state_dict().keys() == plain.weights.keys()
    with pytest.raises(CheckpointError, match="an impossible shape"):
        load("a.s", to_bytes(with_layer(*[1] * 9, device="cpu")))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(checkpoint, value):
    broken = changed(checkpoint)
    name = next(iter(broken.weights))
    broken.weights[name] = broken.weights[name].clone()
    broken.weights[name].view(-1)[3] = value
    with pytest.raises(CheckpointError, match=rf"'{name}' .*not finite"):
        broken.generator()


@pytest.mark.parametrize(
    ("generator", "options"),
    [
        ("cyclegan", {}),
        ("unet", {"colour": 1}),
        ("unet", {"depth": "deep"}),
        ("unet", {"depth": 10**9}),
        ("unet", {"width": 10**30}),
        ("unet", {"width": -1}),
        ("unet", {"norm": ["batch"]}),
        ("unet", {"out_channels": None}),
        ("compact", {"widths": 5}),
        ("compact", {"widths": ["a", "b", "c", "d"]}),
        ("compact", {"widths": [0, 0, 0, 0]}),
        ("compact", {"out_channels": {}}),
    ],
)
def test_generators_that_cannot_be_built_are_refused(checkpoint, generator, options):
    with pytest.raises(CheckpointError, match=r"cannot be built|do not fit"):
        changed(checkpoint, generator=generator, options=options).generator()


def test_a_generator_that_writes_other_channels_than_its_codec_is_refused(checkpoint):
    with pytest.raises(CheckpointError, match=r"writes 2 channels.*'rgb' needs 3"):
        changed(checkpoint, codec="rgb").check_declared()


def test_a_huge_generator_is_refused_before_it_costs_memory(checkpoint):
    broken = changed(checkpoint, options=UNET | {"width": 1024, "depth": 10})
    with pytest.raises(CheckpointError, match="do not fit"):
        broken.generator()


# -- writing


def test_a_failed_write_leaves_the_old_file_and_no_other(
    file, make_checkpoint, monkeypatch
):
    before = file.read_bytes()

    def fail(*args, **kwargs):
        raise OSError(28, "No space left on device")

    other = make_checkpoint("unet", UNET, seed=2)
    for name in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, fail)
            with pytest.raises(CheckpointError, match=r"No space left.*free some"):
                save(other, file)
        assert file.read_bytes() == before
        assert os.listdir(file.parent) == [file.name]
    save(other, file)
    assert file.read_bytes() != before


def test_all_of_a_file_is_on_disk_before_it_has_its_name(tmp_path, monkeypatch):
    path, seen = tmp_path / "a", []

    def fsync(number):
        seen.append((os.fstat(number).st_size, path.exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    with replacing(path) as file:
        file.write(b"abc")
    assert (3, False) in seen and path.read_bytes() == b"abc"


def test_an_interrupted_write_leaves_no_temporary_file(file, checkpoint, monkeypatch):
    before = file.read_bytes()

    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        save(checkpoint, file)
    assert file.read_bytes() == before
    assert os.listdir(file.parent) == [file.name]


def test_impossible_places_to_write_are_named(tmp_path, checkpoint):
    (tmp_path / "folder.safetensors").mkdir()
    (tmp_path / "file").write_text("")
    for name in (
        "absent/a.safetensors",
        "folder.safetensors",
        "file/a.safetensors",
        "n" * 300,
    ):
        with pytest.raises(CheckpointError, match="cannot be written"):
            save(checkpoint, tmp_path / name)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder.safetensors"]


def test_others_may_read_a_checkpoint_as_any_new_file(file, tmp_path):
    ordinary = tmp_path / "ordinary"
    ordinary.write_text("")
    assert stat.S_IMODE(file.stat().st_mode) == stat.S_IMODE(ordinary.stat().st_mode)


# -- models by name


@pytest.fixture
def models(tmp_path, monkeypatch, checkpoint):
    """An empty folder of shipped models, and a user's folder with two."""
    shipped, user = tmp_path / "shipped", tmp_path / "data" / "models"
    shipped.mkdir()
    user.mkdir(parents=True)
    monkeypatch.setattr(zoo, "_shipped_folder", lambda: shipped)
    monkeypatch.setattr(
        "platformdirs.user_data_path", lambda *a, **k: tmp_path / "data"
    )
    for name in ("smear", "nuclei"):
        save(checkpoint, user / f"{name}.safetensors")
    return shipped, user


def test_models_of_the_user_are_found(models, checkpoint):
    _, user = models
    assert zoo.user_folder() == user
    assert [m.name for m in zoo.list_models()] == ["nuclei", "smear"]
    model = zoo.find("smear")
    assert model.path == user / "smear.safetensors"
    assert model.description == checkpoint.metadata.description
    assert not model.shipped
    assert same(load(model.path), checkpoint)


def test_a_missing_folder_has_no_models(models, monkeypatch, tmp_path):
    monkeypatch.setattr(
        "platformdirs.user_data_path", lambda *a, **k: tmp_path / "absent"
    )
    assert zoo.list_models() == []


def test_an_unknown_model_lists_the_known_ones(models):
    with pytest.raises(UnknownModel, match=r"'moon'.*nuclei, smear.*safetensors file"):
        zoo.find("moon")


@pytest.mark.parametrize(
    "name", ["", ".", "..", "x" * 5000, "a\0b", "~nobody_has_this_name/m", "../smear"]
)
def test_strange_names_are_unknown_models(models, name):
    with pytest.raises(UnknownModel, match="Known models"):
        zoo.find(name)


def test_a_checkpoint_is_found_by_its_path(models, file):
    assert zoo.find(file).path == file
    assert zoo.find(str(file)).name == "small"


def test_a_shipped_model_is_never_hidden(models, checkpoint):
    shipped, _ = models
    save(checkpoint, shipped / "smear.safetensors")
    assert zoo.find("smear").shipped
    assert [(m.name, m.shipped) for m in zoo.list_models()] == [
        ("smear", True),
        ("nuclei", False),
    ]


def test_a_damaged_model_is_not_listed_but_explained(models):
    _, user = models
    (user / "nuclei.safetensors").write_bytes(b"\x50" + bytes(7) + b"{")
    with pytest.warns(ColorganWarning, match="'nuclei' cannot be read, because it is"):
        assert [m.name for m in zoo.list_models()] == ["smear"]
    with pytest.raises(CheckpointError, match=r"nuclei.*damaged"):
        zoo.find("nuclei")


def test_cards_are_files_or_made_of_the_metadata(models):
    _, user = models
    assert "CC0-1.0" in zoo.find("smear").card
    assert "not stated" in zoo.find("smear").card
    (user / "smear.md").write_text("# Blutausstrich, 40-fach, Größe", encoding="utf-8")
    assert zoo.find("smear").card == "# Blutausstrich, 40-fach, Größe"
    (user / "smear.md").write_bytes(b"# caf\xe9")
    assert "caf" in zoo.find("smear").card


def test_models_are_loaded_by_name_path_or_checkpoint(models, checkpoint, file):
    from napari_colorgan.inference.colorize import colorizer_job

    digests = {
        finish(colorizer_job(model, device="cpu")).checkpoint.digest
        for model in (str(file), file, checkpoint)
    }
    assert digests == {checkpoint.digest}
    named = finish(colorizer_job("smear", device="cpu")).checkpoint
    assert named.metadata.name == "smear"  # whatever it was called when it was saved
    assert named.weights.keys() == checkpoint.weights.keys()


def test_a_header_of_any_length_is_read(tmp_path, checkpoint):
    # one length in 32 begins like a file of torch.save
    first = set()
    for count in range(0, 256, 8):
        path = tmp_path / f"{count}.safetensors"
        metadata = dataclasses.replace(checkpoint.metadata, description="x" * count)
        save(dataclasses.replace(checkpoint, metadata=metadata), path)
        first.add(path.read_bytes()[0])
        assert load(path).metadata == read_metadata(path) == metadata
    assert 0x80 in first
