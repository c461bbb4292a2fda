"""A model of one's own: under which names, and with what beside it."""

import io

import pytest
from PIL import Image

from napari_colorgan.checkpoints import zoo
from napari_colorgan.checkpoints.store import load, save
from napari_colorgan.errors import BadSetting, CheckpointError


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    folder = tmp_path / "not yet" / "models"
    monkeypatch.setattr(zoo, "user_folder", lambda: folder)
    return folder


def test_an_installed_model_is_found_with_its_card(make_checkpoint, folder):
    made = make_checkpoint("compact", context="local")
    model = zoo.install(made, " my tissue v1.2 ", "# My tissue\n")
    assert model.name == "my tissue v1.2" and not model.shipped
    assert zoo.find("my tissue v1.2") == model
    assert model in zoo.list_models()
    assert model.card == "# My tissue\n"
    stored = load(model.path)
    assert stored.metadata.name == "my tissue v1.2"
    assert made.metadata.name == "test"  # the original is left alone
    assert [path.name for path in folder.iterdir()] == ["my tissue v1.2.safetensors"]


def test_files_beside_a_checkpoint_are_its_card_and_picture(make_checkpoint, folder):
    folder.mkdir(parents=True)
    path = folder / "my tissue v1.2.safetensors"
    save(make_checkpoint("compact"), path)
    (folder / "my tissue v1.2.jpg").write_bytes(b"examples")
    (folder / "my tissue v1.2.md").write_text("# test\n\nA card.\n")
    for model in (zoo.find("my tissue v1.2"), zoo.find(path)):
        assert model.picture == b"examples"
        assert model.card == "# my tissue v1.2\n\nA card.\n"
        assert model.size > path.stat().st_size


def test_a_new_model_does_not_inherit_a_picture(make_checkpoint, folder):
    folder.mkdir(parents=True)
    (folder / "mine.jpg").write_bytes(b"examples of the old one")
    assert not zoo.install(make_checkpoint("compact"), "mine", "card").picture
    model = zoo.install(make_checkpoint("compact"), "mine", "", replace_old=True)
    assert not model.picture and not model.own_card


@pytest.mark.parametrize("name", ["natural", "micro"])
def test_shipped_models_have_a_card_and_a_small_picture(name):
    model = zoo.find(name)
    assert model.card.startswith(f"# {name}\n")
    assert len(model.picture) <= 40_000
    with Image.open(io.BytesIO(model.picture)) as picture:
        assert picture.format == "JPEG"
        assert picture.width % picture.height == 0  # whole squares


def test_a_name_is_replaced_only_if_the_user_says_so(make_checkpoint):
    zoo.install(make_checkpoint("compact", seed=1), "mine", "old")
    other = make_checkpoint("compact", seed=2)
    with pytest.raises(zoo.NameTaken, match="'Mine'"):
        zoo.install(other, "Mine", "new")
    assert zoo.find("mine").card == "old"
    model = zoo.install(other, "mine", "new", replace_old=True)
    assert model.card == "new"
    weights = load(model.path).weights
    assert all((weights[k] == v).all() for k, v in other.weights.items())


@pytest.mark.parametrize(
    "name",
    ["", "  ", ".hidden", "../up", "a/b", "a\\b", "a:b", "what?", "line\nbreak", "-x",
     "~me", "CON", "nul.old", "COM1", "ends.", "x" * 65, "ö" * 65, "scratch"],
)  # fmt: skip
def test_names_that_are_no_file_names_are_refused(name):
    with pytest.raises(BadSetting, match=r"^name is "):
        zoo.check_name(name)


@pytest.mark.parametrize("name", ["natural", "Natural", "MICRO"])
def test_shipped_models_keep_their_names(name):
    with pytest.raises(BadSetting, match="shipped"):
        zoo.check_name(name, taken_too=True)


@pytest.mark.parametrize("name", ["H&E colon", "färbung 2", "色", "3rd try", "a.b.c"])
def test_names_of_any_language_are_welcome(name, make_checkpoint):
    zoo.install(make_checkpoint("compact"), name, "card")
    assert zoo.find(name).card == "card"


def test_a_folder_that_cannot_be_made_gives_a_sentence(make_checkpoint, folder):
    folder.parent.write_text("a file where the folder should be")
    with pytest.raises(CheckpointError, match="cannot be written"):
        zoo.install(make_checkpoint("compact"), "mine", "card")
