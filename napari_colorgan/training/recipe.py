"""All that makes a model but the pictures; read from TOML, free of torch."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

from napari_colorgan.checkpoints.metadata import Metadata, storable
from napari_colorgan.declared import check_names
from napari_colorgan.errors import BadSetting
from napari_colorgan.regular import read_regular
from napari_colorgan.training.settings import CODEC_OF, TrainConfig

SHIPPED = Path(str(files("napari_colorgan"))) / "training" / "recipes"
"""Folder of the shipped recipes."""
ABOUT = ("name", "description", "license", "provenance", "working_size", "levels")
"""Fields of `Metadata` that a recipe may give, below [model]."""
GENERATORS: dict[str, dict[str, Any]] = {
    "compact": {"name": "compact"},
    "unet128": {"name": "unet", "depth": 7},
    "unet256": {"name": "unet", "depth": 8},
    "resnet6": {"name": "resnet", "blocks": 6},
    "resnet9": {"name": "resnet", "blocks": 9},
}
"""Generators for recipes: name and options by what the command line calls them."""

_MOST_BYTES = 1 << 20  # of a recipe; ours have 1,000


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that makes a model but the pictures."""

    config: TrainConfig
    about: Mapping[str, Any]
    """Fields of `Metadata`: name, description, license, provenance, working size,
    levels."""
    generator: Mapping[str, Any] = field(default_factory=dict)
    """Its name in `models.GENERATORS`, and its options. Empty: that of the model that a
    training starts with, or else `compact`."""

    @classmethod
    def from_toml(cls, path: Path) -> Self:
        """Read a recipe: tables `training` (TrainConfig), `model` and `generator`.

        `base` is the name of another recipe beside it, without the suffix, or of one
        that is shipped; its settings hold where this one says nothing, and it may have
        a base of its own.

        Raises
        ------
        BadSetting
            The file cannot be read, or a setting is unknown or impossible.
        """
        tables = _layered(path)
        about = tables["model"]
        check_names(about, ABOUT)
        for name, value in about.items():
            wanted = int if name == "working_size" else str
            if type(value) is not wanted:
                raise BadSetting(name, value, f"of type {wanted.__name__}")
        if about.get("levels", "spread") != "spread":
            raise BadSetting("levels", about["levels"], "'spread', or left out")
        generator = tables["generator"]
        if generator and type(generator.get("name")) is not str:
            raise BadSetting("generator", dict(generator), "a table with a name")
        return cls(TrainConfig.from_dict(tables["training"]), about, generator)

    def replaced(self, **settings: Any) -> Self:
        """Return the recipe with other settings of training.

        Raises
        ------
        BadSetting
        """
        return replace(self, config=replace(self.config, **settings))

    def starting_with(self, model: Metadata) -> Self:
        """Return the recipe with the generator of a model, unless it names its own."""
        if self.generator:
            return self
        # what is to be learned decides about these
        decided = ("out_channels", "predicts_chroma", "alternatives")
        options = {k: v for k, v in model.options.items() if k not in decided}
        return replace(self, generator={"name": model.generator} | options)

    @property
    def spec(self) -> tuple[str, dict[str, Any]]:
        """Name and options of the generator, before the task adds to them."""
        options = dict(self.generator or GENERATORS["compact"])
        return str(options.pop("name")), options

    @property
    def metadata(self) -> Metadata:
        """What checkpoints made by it say of themselves; once the task is decided."""
        config = self.config
        assert config.task != "auto"
        (name, options), vividness = self.spec, None
        if config.task == "translation":
            options["out_channels"] = 3
        elif name == "compact" and not config.is_published:
            options["alternatives"] = True
            vividness = config.vividness
        about: dict[str, Any] = {
            key: storable(value) if type(value) is str else value
            for key, value in self.about.items()
        }
        return Metadata(
            generator=name,
            options=options,
            codec=CODEC_OF[config.task],
            context=config.context,
            vividness=vividness,
            **about,
        )


def find_recipe(name: str) -> Path:
    """Path of a shipped recipe, or of a TOML file.

    Raises
    ------
    BadSetting
    """
    if (path := SHIPPED / f"{name}.toml").is_file():
        return path
    if not name.endswith(".toml"):
        known = ", ".join(sorted(path.stem for path in SHIPPED.glob("*.toml")))
        raise BadSetting(
            "--recipe", name, f"one of {known}, or the path of a TOML file"
        )
    return Path(name)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = read_regular(path, _MOST_BYTES)
        if len(content) > _MOST_BYTES:
            raise ValueError("it has more than 1 MB")
        return tomllib.loads(content.decode())
    except (OSError, ValueError) as error:
        raise BadSetting(
            "recipe", str(path), f"a readable TOML file ({error})"
        ) from error


def _layered(path: Path, above: tuple[Path, ...] = ()) -> dict[str, dict[str, Any]]:
    """Tables of a recipe over those of its base; `above`: what has this one as base."""
    values = _read(path)
    base = values.pop("base", None)
    tables = _tables(values)
    if base is None:
        return tables
    if type(base) is not str or Path(base).name != base:
        raise BadSetting(
            "base", base, "the name of a recipe beside this one, or shipped"
        )
    beside, shipped = path.with_name(f"{base}.toml"), SHIPPED / f"{base}.toml"
    below_path = shipped if shipped.is_file() and not beside.is_file() else beside
    above = (*above, path)
    if below_path in above:
        raise BadSetting("base", base, "a recipe that does not build on this one")
    below = _layered(below_path, above)
    return {name: below[name] | table for name, table in tables.items()}


def _tables(values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Tables of a recipe, empty where it has none."""
    tables: dict[str, dict[str, Any]] = {"model": {}, "generator": {}, "training": {}}
    check_names(values, tables)
    tables |= values
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise BadSetting(name, table, "a table of settings")
    return tables
