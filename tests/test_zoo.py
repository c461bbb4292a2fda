"""Models of the user's renamed, copied, deleted, brought back, each in one step."""

import io
import os
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_colorgan.checkpoints import deleted, store, zoo
from napari_colorgan.checkpoints.changes import NotYours, duplicate, rename
from napari_colorgan.checkpoints.deleted import delete, deleted_models, restore
from napari_colorgan.checkpoints.enclosed import enclose
from napari_colorgan.checkpoints.store import load
from napari_colorgan.errors import BadSetting, CheckpointError, UnknownModel

CARD = "# mine\n\nA model called mine.\n"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    folder = tmp_path / "models"
    monkeypatch.setattr(zoo, "user_folder", lambda: folder)
    return folder


@pytest.fixture
def mine(make_checkpoint):
    """A model of the user's with card and picture."""
    return zoo.install(make_checkpoint(seed=1), "mine", CARD, picture=b"examples")


@pytest.fixture
def older(mine, make_checkpoint):
    """The same as a former version has left it: three files."""
    store.save(make_checkpoint(seed=1, name="mine"), mine.path)
    mine.path.with_suffix(".md").write_text(CARD)
    mine.path.with_suffix(".jpg").write_bytes(b"examples")
    return zoo.find("mine")


def content(folder: Path) -> dict[str, bytes]:
    """Everything below a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_file()}


def same_weights(one: zoo.Model, other: zoo.Model) -> bool:
    first, second = load(one.path).weights, load(other.path).weights
    return all((first[name] == value).all() for name, value in second.items())


class Full:
    """A disk that is full as soon as a file of this suffix is to be written."""

    def __init__(self, suffix: str, monkeypatch) -> None:
        replace = Path.replace

        def fail(path: Path, target: Path) -> Path:
            if Path(target).suffix == suffix and self.full:
                raise OSError(28, "No space left on device")
            return replace(path, target)

        self.full = True
        monkeypatch.setattr(Path, "replace", fail)


def sparse(path: Path) -> None:
    path.touch()
    os.truncate(path, 3 << 30)


ODD = {
    "pipe": (os.mkfifo, "it is a pipe, not a file."),  # to read it would never end
    "folder": (Path.mkdir, "it is a folder, not a file."),
    "device": (lambda path: path.symlink_to("/dev/zero"), "it is a device, not a file"),
    "absent": (lambda path: path.symlink_to("nothing"), "no such file or directory."),
    "circle": (lambda path: path.symlink_to(path.name), "too many levels"),
    "empty": (Path.touch, "it is empty. Fetch it again."),
    "sparse": (sparse, "it is "),
    "\x1b[31mred": (Path.touch, "it has a name with signs that cannot be shown."),
    "\udcff": (Path.touch, "it has a name with signs that cannot be shown."),
    "\u202egnp": (Path.touch, "it has a name with signs that cannot be shown."),
}
"""Names of files that lie among the models, how they are made, and what is said."""


def test_odd_files_among_the_models_hide_none_and_are_named(mine, folder):
    for name, (make, _) in ODD.items():
        make(folder / f"{name}.safetensors")
    models, unreadable = zoo.look()
    assert [model.name for model in models] == ["micro", "natural", "mine"]
    said = {file.path.stem: str(file) for file in unreadable}
    assert said.keys() == ODD.keys()
    for name, (_, sentence) in ODD.items():
        assert said[name].isprintable()
        assert f"cannot be read, because {sentence}" in said[name]
        with pytest.raises((CheckpointError, UnknownModel)):
            zoo.find(name)


def test_odd_files_beside_a_model_are_no_card_and_no_picture(older):
    for make, _ in ODD.values():
        for suffix in (".md", ".jpg"):
            beside = older.path.with_suffix(suffix)
            beside.rmdir() if beside.is_dir() else beside.unlink()
            make(beside)
        model = zoo.find("mine")
        assert model.own_card == "" and model.card.startswith("# mine")
        assert model.picture == b""


def test_nothing_a_model_says_acts_upon_a_terminal(mine, make_checkpoint, folder):
    evil = "\x1b]0;title\x07\u202etxt\ud800\n\nmicro"
    made = make_checkpoint(
        description=evil,
        license=evil,
        provenance=evil,
        training={evil: [evil, {"a": evil}]},
    )
    store.save(made, folder / "evil.safetensors")
    (folder / "evil.md").write_text("# \x1b[2J\u202eevil\n\tok", "utf-8")
    seen = r"\x1b]0;title\x07\u202etxt\ud800"
    loaded = load(folder / "evil.safetensors").metadata
    for about in (zoo.find("evil").metadata, loaded):
        assert about.description == about.license == f"{seen} micro"  # one line
        assert about.provenance == f"{seen}\n\nmicro"
        assert "\x1b" not in str(about.training) and len(about.training) == 1
    assert zoo.find("evil").card == "# \\x1b[2J\\u202eevil\n\tok"


# -- what is told of a model


def test_a_model_tells_its_kind_size_and_origin(make_checkpoint, mine):
    assert zoo.find("natural").origin == "shipped"
    assert (mine.kind, mine.origin) == ("colorization", "mine")
    size = sum(len(file) for file in content(mine.path.parent).values())
    assert mine.size == size > 9
    assert (mine.card, mine.picture) == (CARD, b"examples")
    options = {"out_channels": 3}
    translates = make_checkpoint(options=options, codec="rgb")
    assert zoo.install(translates, "stain").kind == "translation"
    foreign = make_checkpoint(provenance="Imported from 'a.pth' (SHA-256 00).")
    assert zoo.install(foreign, "theirs").origin == "imported"


@pytest.mark.parametrize(
    ("provenance", "base", "origin"),
    [
        ("Trained by fine-tune from my tissue v1.2 on pairs of the user: a, b.",
         "my tissue v1.2", "mine"),
        ("Trained by paper from theirs on pairs of the user: a. theirs: Imported from "
         "'b.pth' (SHA-256 00).", "theirs", "mine"),
        ("Imported from 'b' (SHA-256 00). Trained by fine-tune from micro on pairs of "
         "the user: a.", None, "imported"),
        ("Trained by paper from fresh weights on pairs of the user: a.", None, "mine"),
        ("", None, "mine"),
    ],
)  # fmt: skip
def test_the_base_is_what_it_was_fine_tuned_from(
    make_checkpoint, provenance, base, origin
):
    model = zoo.install(make_checkpoint(provenance=provenance), "mine")
    assert (model.base, model.origin) == (base, origin)


def test_without_a_card_the_metadata_speak(make_checkpoint):
    model = zoo.install(make_checkpoint(license="CC0-1.0"), "mine")
    assert not model.own_card and "CC0-1.0" in model.card
    assert names(model.path.parent) == {"mine.safetensors"}


def test_a_free_name_has_a_number_where_it_must(mine):
    assert zoo.free_name("yours") == "yours"
    assert zoo.free_name("mine") == zoo.free_name("MINE").lower() == "mine 2"
    assert zoo.free_name("a/b") == "my model"
    assert zoo.free_name("natural", "copy") == "copy"


# -- install


def test_an_install_that_fails_leaves_the_older_model_whole(
    mine, make_checkpoint, folder, monkeypatch
):
    before = content(folder)
    Full(".safetensors", monkeypatch)
    with pytest.raises(CheckpointError, match="No space left"):
        zoo.install(make_checkpoint(seed=2), "mine", "# New\n", replace_old=True)
    assert content(folder) == before


def test_an_install_that_fails_leaves_nothing(make_checkpoint, folder, monkeypatch):
    Full(".safetensors", monkeypatch)
    with pytest.raises(CheckpointError, match="No space left"):
        zoo.install(make_checkpoint(), "mine", CARD, picture=b"examples")
    assert not content(folder)


# -- duplicate


def test_a_duplicate_has_all_of_the_original(mine):
    before = content(mine.path.parent)
    twin = duplicate("mine", " twin v1.2 ")
    assert twin == zoo.find("twin v1.2") and twin.metadata.name == "twin v1.2"
    assert same_weights(twin, mine)
    assert twin.card == "# twin v1.2\n\nA model called mine.\n"
    assert twin.picture == b"examples"
    after = content(mine.path.parent)
    assert {name: after[name] for name in before} == before


def test_a_shipped_model_can_be_duplicated(folder):
    copy = duplicate("micro", "micro of mine")
    shipped = zoo.find("micro")
    assert copy.card.startswith("# micro of mine\n")
    assert copy.card.splitlines()[1:] == shipped.card.splitlines()[1:]
    assert copy.picture == shipped.picture != b""
    assert copy.origin == "mine" and same_weights(copy, shipped)


def test_a_model_without_a_card_has_copies_without(make_checkpoint):
    zoo.install(make_checkpoint(), "bare")
    assert not duplicate("bare", "twin").own_card
    assert not rename("twin", "other").own_card


@pytest.mark.parametrize("change", [duplicate, rename])
@pytest.mark.parametrize(
    ("name", "error"),
    [("other", zoo.NameTaken), ("OTHER", zoo.NameTaken), ("natural", BadSetting),
     ("../up", BadSetting), ("", BadSetting), ("x" * 65, BadSetting)],
)  # fmt: skip
def test_names_are_checked(mine, make_checkpoint, folder, change, name, error):
    zoo.install(make_checkpoint(), "other")
    before = content(folder)
    with pytest.raises(error):
        change("mine", name)
    assert content(folder) == before


# -- rename


@pytest.mark.parametrize("files", ["mine", "older"])
def test_a_renamed_model_takes_card_and_picture_along(files, folder, request):
    weights = load(request.getfixturevalue(files).path).weights
    model = rename("mine", "Größe")
    assert model == zoo.find("Größe")
    assert names(folder) == {"Größe.safetensors"}
    checkpoint = zoo.open_model("Größe")  # its digest is checked
    assert checkpoint.metadata.name == "Größe"
    assert all((checkpoint.weights[name] == v).all() for name, v in weights.items())
    assert model.card == "# Größe\n\nA model called mine.\n"
    assert duplicate("Größe", "twin").card == "# twin\n\nA model called mine.\n"
    assert model.picture == b"examples"
    with pytest.raises(UnknownModel):
        zoo.find("mine")


@pytest.mark.parametrize("older", [False, True])
def test_files_of_a_model_that_is_gone_are_not_taken_over(
    make_checkpoint, folder, older
):
    zoo.install(make_checkpoint(), "bare")
    if older:
        store.save(make_checkpoint(), folder / "bare.safetensors")
    (folder / "new.jpg").write_bytes(b"examples")
    (folder / "new.md").write_text("# new\n")
    model = rename("bare", "new")
    assert not model.picture and not model.own_card


def test_only_the_case_of_a_name_can_change(mine, folder):
    rename("mine", "Mine")
    assert names(folder) == {"Mine.safetensors"}
    assert zoo.find("Mine").card.startswith("# Mine\n")


def test_a_twin_in_another_case_is_not_overwritten(mine, folder):
    if (folder / "MINE.md").exists():
        pytest.skip("this file system does not tell upper from lower case")
    (folder / "Mine.safetensors").write_bytes(mine.path.read_bytes())
    before = content(folder)
    with pytest.raises(zoo.NameTaken):
        rename("mine", "Mine")
    assert content(folder) == before


def test_a_title_that_is_not_the_name_stays(make_checkpoint):
    zoo.install(make_checkpoint(), "mine", "# For our Giemsa slides\n")
    assert rename("mine", "giemsa").card == "# For our Giemsa slides\n"


def test_a_rename_that_fails_has_changed_nothing(mine, folder, monkeypatch):
    before = content(folder)
    disk = Full(".safetensors", monkeypatch)
    with pytest.raises(CheckpointError, match="No space left"):
        rename("mine", "other")
    disk.full = False
    assert content(folder) == before


# -- delete and restore


def test_what_was_deleted_comes_back_with_card_and_picture(mine, folder):
    before = content(folder)
    gone = delete("mine")
    assert not names(folder) and gone.name == "mine"
    assert [model.origin for model in zoo.list_models()] == ["shipped", "shipped"]
    assert deleted_models() == [gone]
    assert restore(gone) == mine
    assert content(folder) == before and not deleted_models()


def test_the_latest_comes_back_first(mine, make_checkpoint):
    delete("mine")
    for card in ("first", "second"):
        zoo.install(make_checkpoint(), "other", card)
        delete("other")
    names = [gone.name for gone in deleted_models()]
    assert names == ["other", "other", "mine"]
    assert restore(deleted_models()[0]).card == "second"
    assert restore(deleted_models()[1]) == mine


def test_a_new_model_of_its_name_is_not_overwritten(mine, make_checkpoint, folder):
    gone = delete("mine")
    zoo.install(make_checkpoint(), "Mine", "new")
    before = content(folder)
    with pytest.raises(zoo.NameTaken, match="Rename that one, then bring the deleted"):
        restore(gone)
    assert content(folder) == before
    rename("Mine", "newer")
    assert restore(gone).card == CARD


@pytest.mark.parametrize("back", [False, True])
def test_a_move_that_fails_moves_nothing(mine, folder, monkeypatch, back):
    gone = delete("mine") if back else None
    before = content(folder)
    disk = Full(".safetensors", monkeypatch)
    with pytest.raises(CheckpointError, match="cannot be moved: No space left"):
        restore(gone) if gone else delete("mine")
    disk.full = False
    assert content(folder) == before
    assert [one.name for one in deleted_models()] == (["mine"] if back else [])


def test_a_model_of_a_former_version_comes_back_as_one_file(older, folder):
    assert names(folder) == {"mine.safetensors", "mine.md", "mine.jpg"}
    gone = delete("mine")
    for path in (gone.path.with_suffix(".md"), gone.path.with_suffix(".jpg")):
        path.write_bytes(b"of another one")
    model = restore(gone)
    assert names(folder) == {"mine.safetensors"}
    assert (model.card, model.picture) == (CARD, b"examples")


# -- what killed processes have left


def test_second_copies_are_removed_and_nothing_else(older, folder):
    """A process that was killed while it made one file of three."""
    files = content(folder)
    card, picture = older.path.with_suffix(".md"), older.path.with_suffix(".jpg")
    enclose(older.path, older.enclosed)
    (folder / "notes.md").write_text(CARD)
    zoo.list_models()
    assert names(folder) == {"mine.safetensors", "notes.md"}
    card.write_text("Of the user.\n")
    picture.write_bytes(files["mine.jpg"])
    assert zoo.find("mine").card == CARD
    zoo.list_models()
    assert names(folder) == {"mine.safetensors", "notes.md", "mine.md"}


def test_folders_of_nothing_are_removed(mine, folder):
    delete("mine")
    (folder / "deleted" / "2026-11-29 10.09.22.123456").mkdir()
    assert [gone.name for gone in deleted_models()] == ["mine"]
    assert len(list((folder / "deleted").iterdir())) == 1


# -- a card and a picture in a file


def test_a_changed_card_is_not_shown_and_the_model_not_used(mine):
    content = mine.path.read_bytes()
    mine.path.write_bytes(content.replace(b"A model called", b"A virus called"))
    assert "virus" not in mine.card and not mine.picture
    with pytest.raises(CheckpointError, match="card or its picture is another one"):
        load(mine.path)
    mine.path.write_bytes(content)
    assert load(mine.path)


def test_what_is_too_large_is_cut_or_made_smaller(make_checkpoint):
    noise = np.random.default_rng(0).integers(0, 256, (900, 1800, 3), np.uint8)
    large = io.BytesIO()
    Image.fromarray(noise).save(large, "JPEG", quality=95)
    model = zoo.install(
        make_checkpoint(), "mine", "Ö" * 1_000_000, picture=large.getvalue()
    )
    assert model.card.startswith("ÖÖ") and "left out" in model.card
    with Image.open(io.BytesIO(model.picture)) as picture:
        assert picture.size == (640, 320)
    assert load(model.path).weights


def test_a_model_without_room_for_them_stays_one(make_checkpoint):
    about = {"notes": "a" * 1_000_000}
    model = zoo.install(make_checkpoint(training=about), "mine", "Ö" * 300_000)
    assert not model.own_card and load(model.path).metadata.training == about


@pytest.mark.parametrize("change", [delete, lambda name: rename(name, "new")])
def test_only_the_users_own_models_change(
    mine, make_checkpoint, tmp_path, monkeypatch, change
):
    with pytest.raises(NotYours, match="'natural' is not in your folder"):
        change("natural")
    elsewhere = zoo.find(mine.path.rename(tmp_path / "elsewhere.safetensors"))
    monkeypatch.chdir(tmp_path)
    for path in (elsewhere.path, "elsewhere.safetensors"):
        with pytest.raises(NotYours):
            change(str(path))
    with pytest.raises(UnknownModel):
        change("../elsewhere")
    assert elsewhere.path.is_file()
    assert zoo.find("natural").shipped


def test_a_model_that_vanished_gives_a_sentence(mine):
    gone = delete("mine")
    with pytest.raises(UnknownModel, match="'mine'"):
        delete("mine")
    gone.path.unlink()
    assert not deleted_models()
    with pytest.raises(CheckpointError, match="Check that it still is there"):
        restore(gone)


def test_a_folder_that_cannot_be_made_gives_a_sentence(mine, folder):
    (folder / "deleted").write_text("a file where the folder should be")
    before = content(folder)
    with pytest.raises(CheckpointError, match="cannot be made"):
        delete("mine")
    assert content(folder) == before


def test_what_was_deleted_long_ago_is_removed(mine, make_checkpoint, folder):
    for days in (deleted.KEPT_DAYS - 1, deleted.KEPT_DAYS + 1):
        zoo.install(make_checkpoint(), f"deleted {days} days ago")
        gone = delete(f"deleted {days} days ago")
        when = datetime.now() - timedelta(days=days)
        os.rename(gone.path.parent, gone.path.parents[1] / when.strftime(deleted._TIME))
    (folder / "deleted" / "of the user").mkdir()
    assert len(deleted_models()) == 2
    delete("mine")
    kept = [gone.name for gone in deleted_models()]
    assert kept == ["mine", f"deleted {deleted.KEPT_DAYS - 1} days ago"]
    assert (folder / "deleted" / "of the user").is_dir()


def test_a_model_is_opened_by_name_path_or_itself(mine):
    by_name = zoo.open_model("mine")
    assert by_name.digest == zoo.open_model(zoo.find("mine").path).digest
    assert zoo.open_model(by_name) is by_name
    assert zoo.open_model("natural").metadata.context == "whole"
    with pytest.raises(UnknownModel, match="called 'nobody'"):
        zoo.open_model("nobody")
