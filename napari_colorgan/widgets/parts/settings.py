"""The settings a user chose last, and those of napari's Preferences before that."""

import json
from pathlib import Path
from typing import Any

from napari.settings import get_plugin_settings
from platformdirs import user_config_path

from napari_colorgan.drafts import write_whole


def settings_file() -> Path:
    """Where the last settings of the Colorize dock are kept."""
    return user_config_path("napari-colorgan", appauthor=False) / "colorize.json"


def fine_tune_file() -> Path:
    """Where those of the Fine-tune dock are kept."""
    return settings_file().with_name("fine-tune.json")


def preferences() -> dict[str, Any]:
    """Device, tile size and model of napari's Preferences; empty if there are none."""
    try:
        defaults = get_plugin_settings("napari-colorgan").defaults
    except (KeyError, AttributeError):
        return {}
    return {
        "device": defaults.device,
        "engine": defaults.engine,
        "tile": defaults.tile_size,
        "model": defaults.model,
    }


def load_settings(file: Path | None = None) -> dict[str, Any]:
    """Return what was used last, but preferences that were changed since then win.

    Parameters
    ----------
    file : default `settings_file`
    """
    try:
        text = (file or settings_file()).read_text(encoding="utf-8")
        saved = json.loads(text)
        last, seen = dict(saved["last"]), dict(saved["preferences"])
    except (OSError, ValueError, KeyError, TypeError):  # none yet, or damaged
        last, seen = {}, {}
    current = preferences()
    changed = {k: v for k, v in current.items() if k not in last or seen.get(k) != v}
    return last | changed


def save_settings(last: dict[str, Any], file: Path | None = None) -> None:
    """Remember settings; a read-only home is no reason to bother the user."""
    path = file or settings_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        saved = {"last": last, "preferences": preferences()}
        write_whole(path, json.dumps(saved).encode())
    except OSError:
        return
