"""napari finds the plugin however it was installed, and every entry of it works."""

import json
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from napari.settings import get_plugin_settings
from npe2.manifest.utils import import_python_name
from qtpy.QtGui import QAction

from napari_colorgan.checkpoints import zoo
from napari_colorgan.training import runs
from napari_colorgan.widgets.menu import show_dock

ROOT = Path(__file__).parents[1]

DISCOVER = """
import json, napari_colorgan
from npe2 import PluginManager
manager = PluginManager()
manager.discover()
manifest = manager.get_manifest("napari-colorgan")
manifest.validate_imports()
print(json.dumps({
    "package": napari_colorgan.__file__,
    "version": manifest.package_version,
    "contributions": [
        key for key, value in manifest.contributions.model_dump().items() if value
    ],
}))
"""


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def make_environment(folder: Path) -> Path:
    """Return the Python of a new environment that borrows our dependencies.

    The borrowed folders come last on its path and their own .pth files are not read: a
    napari-colorgan installed there, editable or not, is hidden by the one put here.
    """
    venv.create(folder, with_pip=False)
    on_windows = sys.platform == "win32"
    python = folder / ("Scripts/python.exe" if on_windows else "bin/python")
    purelib = "import sysconfig; print(sysconfig.get_path('purelib'))"
    borrowed = [path for path in sys.path if path.endswith("-packages")]
    site = Path(run(python, "-c", purelib, cwd=folder).strip())
    (site / "zz_borrowed.pth").write_text("\n".join(borrowed), encoding="utf-8")
    return python


def install(python: Path, *what: str | Path, cwd: Path) -> None:
    # ignore-installed: the borrowed copy satisfies pip, but is not what is tested
    options = ["--no-deps", "--no-index", "--no-build-isolation", "--ignore-installed"]
    pip = [sys.executable, "-m", "pip", "--python", python, "install", *options]
    run(*pip, *what, cwd=cwd)


def check_discovery(python: Path, package: Path, cwd: Path) -> None:
    """Check in a fresh process, isolated from this folder and its environment."""
    run(python, "-I", "-m", "npe2", "validate", "napari-colorgan", cwd=cwd)
    found = json.loads(run(python, "-I", "-c", DISCOVER, cwd=cwd).splitlines()[-1])
    assert Path(found["package"]).parent.resolve() == package.resolve()
    assert found["version"]
    wanted = {"commands", "configurations", "menus", "sample_data", "widgets"}
    wanted.add("writers")
    assert wanted <= set(found["contributions"])


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation"]
    run(*build, "--outdir", folder, ROOT, cwd=folder)
    return next(folder.glob("*.whl"))


def test_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    shipped = set(zipfile.ZipFile(wheel).namelist())
    package = ROOT / "napari_colorgan"
    kinds = ("*.py", "*.yaml", "*.tif", "*.txt", "*.toml", "*.safetensors", "*.md")
    files = [path for kind in kinds for path in package.rglob(kind)]
    wanted = {path.relative_to(ROOT).as_posix() for path in files}
    assert wanted - shipped == set()
    weights = f"napari_colorgan/checkpoints/weights/{zoo.DEFAULT}.safetensors"
    assert {"napari_colorgan/napari.yaml", weights} <= shipped


def test_wheel_is_a_valid_plugin(wheel: Path, tmp_path: Path) -> None:
    python = make_environment(tmp_path / "env")
    install(python, wheel, cwd=tmp_path)
    (package,) = tmp_path.glob("env/**/site-packages/napari_colorgan")
    check_discovery(python, package, cwd=tmp_path)


def test_editable_install_is_a_valid_plugin(tmp_path: Path) -> None:
    python = make_environment(tmp_path / "env")
    install(python, "--editable", ROOT, cwd=tmp_path)
    check_discovery(python, ROOT / "napari_colorgan", cwd=tmp_path)


def test_manifest_in_the_root_is_the_one_in_the_package() -> None:
    link = ROOT / "napari.yaml"
    manifest = ROOT / "napari_colorgan" / "napari.yaml"
    if link.is_symlink():
        assert not link.readlink().is_absolute()
        assert link.resolve() == manifest.resolve()
    else:  # a checkout without links holds the path of the target as text
        assert link.read_text().strip() == "napari_colorgan/napari.yaml"


def test_every_command_can_be_imported(plugin) -> None:
    plugin.validate_imports()
    for command in plugin.contributions.commands:
        assert callable(import_python_name(command.python_name))


def test_preferences_have_our_defaults(plugin) -> None:
    settings = get_plugin_settings("napari-colorgan")
    chosen = settings.defaults
    assert (chosen.device, chosen.tile_size) == ("auto", 1152)
    assert chosen.model == zoo.DEFAULT
    chosen.device = "cpu"
    assert "device: cpu" in settings.config_path.read_text()
    with pytest.raises(ValueError, match="allowed enum values"):
        chosen.device = "abacus"


def entry(viewer, command: str) -> QAction:
    """The entry in Layers > Filter, as it is when a user opens the menu."""
    menu = viewer.window.layers_menu
    menu.aboutToShow.emit()
    filters = next(a.menu() for a in menu.actions() if a.text() == "Filter")
    return filters.findAction(f"napari-colorgan.{command}")


def colorize_entry(viewer) -> QAction:
    return entry(viewer, "colorize_layer")


def fine_tune_entry(viewer) -> QAction:
    return entry(viewer, "fine_tune_layer")


def test_menu_entry_is_enabled_for_a_gray_layer_only(
    make_napari_viewer, plugin, photo, gray
) -> None:
    viewer = make_napari_viewer()
    assert not colorize_entry(viewer).isEnabled()
    source = viewer.add_image(gray)
    assert colorize_entry(viewer).isEnabled()
    viewer.add_image(photo, rgb=True)
    assert not colorize_entry(viewer).isEnabled()
    viewer.add_labels(gray)
    assert not colorize_entry(viewer).isEnabled()
    viewer.layers.selection.active = source
    assert colorize_entry(viewer).isEnabled()


def test_menu_entry_opens_one_dock(make_napari_viewer, plugin, gray) -> None:
    viewer = make_napari_viewer(show=True)
    viewer.add_image(gray)
    colorize_entry(viewer).trigger()
    (dock,) = viewer.window.dock_widgets
    assert dock == "Colorize (napari-colorgan)"
    frame = viewer.window._wrapped_dock_widgets[dock]
    frame.hide()
    colorize_entry(viewer).trigger()
    assert frame.isVisible()
    assert list(viewer.window.dock_widgets) == [dock]


def test_fine_tune_entry_is_for_colour_layers(
    make_napari_viewer, plugin, photo, gray, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(runs, "training_folder", lambda: tmp_path)
    viewer = make_napari_viewer(show=True)
    assert not fine_tune_entry(viewer).isEnabled()
    first = viewer.add_image(photo, rgb=True, name="first")
    viewer.add_image(photo[::-1], rgb=True, name="second")
    viewer.add_image(gray)
    assert not fine_tune_entry(viewer).isEnabled()
    viewer.layers.selection.active = first
    fine_tune_entry(viewer).trigger()
    (dock,) = viewer.window.dock_widgets
    assert dock == "Fine-tune (napari-colorgan)"
    widget = viewer.window._wrapped_dock_widgets[dock].inner_widget()
    assert widget.pairs.color.value == first


def test_models_are_managed_without_any_layer(
    make_napari_viewer, plugin, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(zoo, "user_folder", lambda: tmp_path)
    viewer = make_napari_viewer(show=True)
    manage = entry(viewer, "show_models")
    assert manage.isEnabled()
    manage.trigger()
    assert list(viewer.window.dock_widgets) == ["Model manager (napari-colorgan)"]


def test_docks_share_their_place(
    make_napari_viewer, plugin, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(runs, "training_folder", lambda: tmp_path)
    viewer = make_napari_viewer(show=True)
    for name in ("Fine-tune", "Colorize", "Model manager"):
        show_dock(viewer, name)
    frames = list(viewer.window._wrapped_dock_widgets.values())
    window = viewer.window._qt_window
    assert window.tabifiedDockWidgets(frames[0]) == frames[1:]
