"""Recipes say what they make, build on each other, and bad ones are explained."""

import os
from pathlib import Path

import pytest

from napari_colorgan.color import CODECS
from napari_colorgan.errors import (
    BadSetting,
)
from napari_colorgan.models import GeneratorSpec, build
from napari_colorgan.training import train
from napari_colorgan.training.recipe import Recipe
from napari_colorgan.training.settings import TrainConfig

RECIPES = Path(train.__file__).parent / "recipes"


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda p: p.stem)
def test_shipped_recipes_are_complete(path):
    recipe = Recipe.from_toml(path)
    if recipe.config.task == "auto":
        recipe = recipe.replaced(task="colorization")
    about = recipe.metadata
    assert about.context == recipe.config.context
    # what it makes is the user's, from the user's pictures
    assert not (about.name or about.license or about.provenance)
    network = build(GeneratorSpec(about.generator, about.options))
    assert network.out_channels == CODECS[about.codec].out_channels
    assert recipe.config.crop % network.stride == 0


def test_a_recipe_says_what_it_makes():
    phases = Recipe(TrainConfig(task="colorization", vividness=0.3), {"name": "a"})
    about = phases.metadata
    assert (about.generator, about.vividness) == ("compact", 0.3)
    assert build(GeneratorSpec(about.generator, about.options)).alternatives
    assert (about.codec, about.name) == ("lab", "a")
    translation = phases.replaced(task="translation").metadata
    assert (translation.codec, translation.vividness) == ("rgb", None)
    assert translation.options == {"out_channels": 3}
    unet = Recipe(
        TrainConfig(task="colorization", scheme="paper"),
        {},
        {"name": "unet", "depth": 7},
    ).metadata
    assert (unet.generator, unet.options) == ("unet", {"depth": 7})
    assert unet.vividness is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("steps = ", "readable TOML"),
        ("steps = 3", "'steps'; it must be one of generator, model, training"),
        ("[generator]\ndepth = 7", "a table with a name"),
        ("training = 3", "training is 3; it must be a table"),
        ("[model]\nauthor = 'me'", "'author'"),
        ("[model]\nname = 3", "name is 3; it must be of type str"),
        ("[model]\nworking_size = '256'", "of type int"),
        ("[model]\nlevels = 'auto'", "levels is 'auto'; it must be 'spread'"),
        ("[training]\nsteps = nan", "steps is nan"),
        ("[training]\nlearning_rate = nan", "learning_rate is nan"),
        ("base = 3", "base is 3; it must be the name of a recipe beside"),
        ("base = '../other'", "it must be the name of a recipe beside"),
        ("base = 'absent'", r"absent\.toml.*readable TOML"),
    ],
)
def test_bad_recipes_are_explained(tmp_path, text, message):
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    with pytest.raises(BadSetting, match=message):
        Recipe.from_toml(path)


def test_a_recipe_may_have_a_base(tmp_path):
    (tmp_path / "first.toml").write_text(
        "[model]\nname = 'n'\nlicense = 'l'\n"
        "[generator]\nname = 'unet'\ndepth = 6\n[training]\nsteps = 7\nseed = 3"
    )
    (tmp_path / "second.toml").write_text(
        "base = 'first'\n[model]\nname = 'm'\n"
        "[generator]\ndepth = 7\n[training]\nsteps = 9"
    )
    second = Recipe.from_toml(tmp_path / "second.toml")
    assert second.about == {"name": "m", "license": "l"}
    assert second.spec == ("unet", {"depth": 7})
    assert (second.config.steps, second.config.seed) == (9, 3)
    (tmp_path / "third.toml").write_text("base = 'second'\n[training]\nseed = 5")
    third = Recipe.from_toml(tmp_path / "third.toml")
    assert third == second.replaced(seed=5)


@pytest.mark.parametrize("base", ["first", "second"])
def test_recipes_do_not_build_on_each_other(tmp_path, base):
    (tmp_path / "first.toml").write_text(f"base = '{base}'")
    (tmp_path / "second.toml").write_text("base = 'first'")
    with pytest.raises(BadSetting, match="a recipe that does not build on this one"):
        Recipe.from_toml(tmp_path / "first.toml")


def test_only_a_small_file_is_a_recipe(tmp_path):
    with open(tmp_path / "a.toml", "wb") as file:  # sparse
        file.truncate(1 << 40)
    with pytest.raises(BadSetting, match="it has more than 1 MB"):
        Recipe.from_toml(tmp_path / "a.toml")
    if hasattr(os, "mkfifo"):  # to read it would never end
        os.mkfifo(tmp_path / "b.toml")
        with pytest.raises(BadSetting, match="it is a pipe, not a file"):
            Recipe.from_toml(tmp_path / "b.toml")


def test_a_missing_recipe_is_named(tmp_path):
    with pytest.raises(BadSetting, match=r"absent\.toml.*readable TOML"):
        Recipe.from_toml(tmp_path / "absent.toml")
