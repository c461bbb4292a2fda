"""The one door for model files, in Python: in by file or address, out as any format."""

import hashlib
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_colorgan import (
    Palette,
    colorize_file,
    evaluate,
    export_model,
    fine_tune,
    import_model,
    load,
    open_model,
    suggest,
)
from napari_colorgan.checkpoints import formats, zoo
from napari_colorgan.checkpoints.cards import plain_card
from napari_colorgan.checkpoints.extras import ONNX, MissingExtra
from napari_colorgan.checkpoints.formats import (
    FORMATS,
    ExportAs,
    check_export,
    export_job,
    is_address,
    name_after,
    read_job,
)
from napari_colorgan.checkpoints.store import save
from napari_colorgan.errors import BadSetting, ColorganError, Stopped
from napari_colorgan.job import STOP, Progress, finish
from napari_colorgan.sample_data import picture_for


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The user's folder of models, which does not exist yet."""
    monkeypatch.setattr(zoo, "user_folder", lambda: tmp_path / "models")
    return tmp_path / "models"


def test_a_model_goes_out_and_comes_back(tmp_path, make_checkpoint):
    made = make_checkpoint("unet", description="Odd colours.", license="MIT")
    out = export_model(made, tmp_path / "mine.pth")
    model = import_model(out, "again", context="whole", license="MIT")
    assert (model.origin, model.metadata.context) == ("imported", "whole")
    assert model.picture and model.card.startswith("# again\n")
    weights = open_model("again").weights
    assert all(torch.equal(weights[k], v) for k, v in made.weights.items())
    copy = export_model("again", str(tmp_path / "copy.safetensors"))
    assert load(copy).digest == open_model("again").digest


def test_nothing_is_replaced_unasked(tmp_path, make_checkpoint):
    save(make_checkpoint(), tmp_path / "mine.safetensors")
    import_model(tmp_path / "mine.safetensors")
    with pytest.raises(zoo.NameTaken):
        import_model(str(tmp_path / "mine.safetensors"))
    import_model(tmp_path / "mine.safetensors", replace=True)
    with pytest.raises(BadSetting, match="give replace=True as well"):
        export_model("mine", tmp_path / "mine.safetensors")


@pytest.mark.parametrize(
    ("sha256", "message"),
    [("0" * 64, "is not the file that was meant"), ("abc", "64 hexadecimal digits")],
)
def test_a_digest_is_checked_for_files_too(tmp_path, make_checkpoint, sha256, message):
    save(make_checkpoint(), tmp_path / "mine.safetensors")
    with pytest.raises(ColorganError, match=message):
        import_model(tmp_path / "mine.safetensors", sha256=sha256)


def test_a_name_given_to_load_leads_to_open_model():
    with pytest.raises(ColorganError, match=r"open_model\('natural'\)"):
        load("natural")
    assert open_model("natural").metadata.name == "natural"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: open_model(3), "model is 3; it must be a model's name or the path"),
        (lambda: import_model(None), "source is None; it must be the path of a file"),
        (lambda: import_model("a.pth", name=3), "name is 3; it must be text"),
        (lambda: import_model("a.pth", sha256=3), "SHA-256 is 3; it must be 64 hex"),
        (lambda: import_model("http://[::1", sha256="0" * 64), "address is 'http://"),
        (lambda: export_model("micro", None), "out is None; it must be the path of a"),
        (lambda: export_model("micro", "x" * 300 + ".pth"), "out is 'xx.* too long"),
        (lambda: export_model("micro", "a\0.pth"), "out is 'a.* null"),
        (
            lambda: export_model("micro", "a.pth", "b"),
            "format is 'b'; .* of check",
        ),
        (lambda: fine_tune(None), "pairs is None; it must be a list of .gray, colour"),
        (lambda: fine_tune([(0,)]), r"pair 1 is '?\(0,\)'?; it must be a tuple of two"),
        (lambda: Palette.preset(None), "palette is None; it must be one of warm"),
        (lambda: Palette.preset("DAB", "a"), "strength of the palette is 'a'; it"),
        (lambda: Palette.tinted("a", "b"), "tint is .*; it must be two numbers"),
        (lambda: Palette.tinted(1e308, 0), "tint is .* of Lab, each at most 200"),
        (lambda: suggest(np.eye(64), "x", "micro"), "place is 'x'; it must be two"),
        (lambda: suggest(np.eye(64), (1, math.nan), "micro"), "it must be two numbers"),
        (lambda: evaluate([], "micro"), "color is .*; it must be the path of a folder"),
        (lambda: colorize_file("a.png", "x" * 300), "result is 'xx.* too long"),
    ],
)
def test_arguments_of_other_types_are_named(call, message):
    with pytest.raises(BadSetting, match=message):
        call()


# -- what can be written where


def test_formats_are_told_by_their_suffixes(tmp_path):
    suffixes = {name: kind.suffix for name, kind in FORMATS.items()}
    assert suffixes == {
        "checkpoint": ".safetensors",
        "pix2pix": ".pth",
        "bioimageio": ".zip",
        "onnx": ".onnx",
    }
    for name, suffix in suffixes.items():
        choice = check_export(tmp_path / f"a{suffix}", None, replace=False)
        assert choice == ExportAs(format=name)
        assert check_export(tmp_path / f"a{suffix}", name, replace=True) == choice
    out = tmp_path / "a.zip"
    terms = {"authors": ["A"], "license": "MIT", "parent": "x"}
    assert check_export(out, None, replace=False, **terms) == ExportAs(
        format="bioimageio", **terms
    )
    assert FORMATS["pix2pix"].installed


@pytest.mark.parametrize(
    ("name", "format", "stated", "message"),
    [
        ("a.pt", None, {}, r"a\.pt'.* ends in \.safetensors or \.pth or \.zip or"),
        ("a", None, {}, "must be a name that ends in"),
        ("a.pth", "onnx", {}, r"must be a name that ends in \.onnx\.$"),
        ("old.pth", None, {}, r"out is .*or give replace=True as well"),
        ("a.pth", None, {"license": "MIT"}, "license is 'MIT'.*left out, for only a p"),
        ("a.onnx", None, {"authors": ["A"]}, "authors is"),
    ],
)
def test_an_export_that_cannot_be_is_refused_before_any_work(
    tmp_path, name, format, stated, message
):
    (tmp_path / "old.pth").touch()
    with pytest.raises(BadSetting, match=message):
        check_export(tmp_path / name, format, replace=False, **stated)
    names = {"out": "OUT", "replace": "--force", "license": "--license"}
    names["authors"] = "--author"
    with pytest.raises(BadSetting, match=r"^(OUT|--license|--author) is ") as error:
        check_export(tmp_path / name, format, replace=False, names=names, **stated)
    assert "replace=True" not in str(error.value)
    assert not stated or str(error.value).startswith("--")


def test_what_is_not_installed_is_told_before_any_work(tmp_path, monkeypatch):
    absent = replace(ONNX, library="absent_library")
    monkeypatch.setitem(FORMATS, "onnx", replace(FORMATS["onnx"], extra=absent))
    assert not FORMATS["onnx"].installed
    with pytest.raises(MissingExtra):
        check_export(tmp_path / "a.onnx", None, replace=False)


def test_writers_are_given_what_was_chosen(tmp_path, make_checkpoint, monkeypatch):
    given = {}

    def writer(checkpoint, path, **options):
        given[path.suffix] = options
        yield Progress(1, 2)

    where = "napari_colorgan.checkpoints"
    monkeypatch.setattr(f"{where}.bioimageio.export_bioimageio_job", writer)
    monkeypatch.setattr(f"{where}.onnx.export_onnx_job", writer)
    save(make_checkpoint(context="whole"), tmp_path / "mine.safetensors")
    (tmp_path / "mine.md").write_text("# A card\n")
    terms = {"authors": ["A"], "license": "MIT", "parent": "x"}
    mine = tmp_path / "mine.safetensors"
    export_model(mine, tmp_path / "a.onnx")
    assert export_model(mine, tmp_path / "a.zip", **terms) == tmp_path / "a.zip"
    picture = given[".zip"].pop("picture")
    assert np.array_equal(picture, picture_for("whole"))
    documentation = given[".zip"].pop("documentation")
    assert documentation == zoo.find(mine).card
    assert given == {".onnx": {}, ".zip": terms}
    made = make_checkpoint(name="made")
    export_model(made, tmp_path / "b.zip")
    assert given[".zip"]["documentation"] == plain_card(made.metadata, "made")


# -- names and jobs


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("runs/facades/latest_net_G.pth", "facades"),
        (Path("runs/facades/200_net_G_A.pth"), "facades"),
        ("runs/facades/best_net_G.pth", "best_net_G"),
        ("runs/facades/my200_net_G.pth", "my200_net_G"),
        ("runs/a?b#c.pth", "a?b#c"),
        ("https://host/nuclei/latest_net_G.pth?download=1", "nuclei"),
        ("https://host/files/blood%2Dsmear.safetensors?x=y/z", "blood-smear"),
    ],
)
def test_a_model_is_named_after_its_file_or_training(source, name):
    assert name_after(source) == zoo.free_name(name)
    assert is_address(source) == str(source).startswith("https://")
    assert not is_address(Path("https://host/file"))


def test_a_stop_comes_before_anything_is_written(tmp_path, make_checkpoint):
    save(make_checkpoint(), tmp_path / "mine.safetensors")
    jobs = {
        "nothing was stored": read_job(tmp_path / "mine.safetensors"),
        "nothing was written": export_job(
            make_checkpoint(), ExportAs(format="pix2pix"), tmp_path / "a.pth"
        ),
    }
    for sentence, job in jobs.items():
        assert [next(job), next(job)] == [Progress(0, 0)] * 2
        with pytest.raises(Stopped, match=sentence):
            job.send(STOP)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.safetensors"]


def test_digests_are_those_of_the_source(tmp_path, make_checkpoint):
    path = tmp_path / "mine.safetensors"
    save(make_checkpoint(), path)
    right = hashlib.sha256(path.read_bytes()).hexdigest()
    assert finish(read_job(str(path), sha256=f" {right.upper()}\n")).ours
    assert finish(read_job(path)).ours
    for none in ("", " "):
        with pytest.raises(BadSetting, match=r"SHA-256 is .*given for an address"):
            finish(read_job("https://localhost/a.pth", sha256=none))
    for source, digest in ((5, ""), (None, right), ("https://localhost/a.pth", 5)):
        with pytest.raises(BadSetting, match=r"source is (5|None)|SHA-256 is 5"):
            finish(read_job(source, sha256=digest))


def test_an_address_is_checked_and_stored_without_secrets(
    tmp_path, make_checkpoint, monkeypatch
):
    save(make_checkpoint(), tmp_path / "mine.safetensors")
    content = (tmp_path / "mine.safetensors").read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    asked = []

    def download(url, digest):
        asked.append((url, digest))
        yield Progress(1, 2)
        return content

    monkeypatch.setattr(formats, "download_job", download)
    url = "https://user:secret@host/mine.safetensors?token=secret"
    read = finish(read_job(f" {url} ", sha256=sha256.upper()))
    assert asked == [(url, sha256)]
    assert "https://host/mine.safetensors" in read.metadata.provenance
    assert "secret" not in read.metadata.provenance
    for address, digest in (("ftp://host/a.pth", sha256), (url, "abc")):
        with pytest.raises(BadSetting, match=r"address is|SHA-256 is"):
            finish(read_job(address, sha256=digest))
    assert len(asked) == 1
