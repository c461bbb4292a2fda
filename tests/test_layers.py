"""Who may import whom: arrows point to the right, and heavy imports wait."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import napari_colorgan

PACKAGE = Path(__file__).parents[1] / "napari_colorgan"
MODULES = sorted(PACKAGE.rglob("*.py"))

ORDER = [
    {"widgets", "cli", "jobs", "__main__"},
    {"training"},
    {"inference"},
    {"checkpoints"},
    {"models"},
    {
        "color",
        "color_bins",
        "color_bytes",
        "metrics",
        "image_io",
        "sample_data",
        "errors",
        "declared",
        "arrays",
        "drafts",
        "job",
        "printable",
        "regular",
        "__init__",
    },
]
"""From left to right; a module may import from its own place and from further right."""

GUI = {"napari", "qtpy", "magicgui", "superqt", "vispy", "PyQt5", "PyQt6", "PySide6"}
TORCH_ONLY = {"models", "color", "color_bins", "color_bytes", "metrics"}
"""Parts that know torch and nothing of ours but `arrays`, `errors` and each other."""

ALLOWED = {("cli/demo.py", "napari")}
"""The one exception: `colorgan demo` opens napari, which it imports when it runs."""


def part(module: Path | str) -> str:
    """First name below the package: 'models' for napari_colorgan/models/unet.py."""
    if isinstance(module, Path):
        return module.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return [*module.split("."), "__init__"][1]


def place(name: str) -> int:
    """Position in ORDER; the public API, which reaches everything, is left of all."""
    if name.startswith("__version"):
        name = "__init__"
    return next((i for i, parts in enumerate(ORDER) if name in parts), -1)


def imports(path: Path, *, top_level_only: bool = False) -> Iterator[str]:
    """Every absolute module name that `path` imports, wherever the statement stands."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if top_level_only else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path.name}: write the import out, without dots"
            if node.module == "napari_colorgan":
                yield from (f"napari_colorgan.{alias.name}" for alias in node.names)
            else:
                yield str(node.module)


def own_imports(path: Path) -> list[str]:
    return [name for name in imports(path) if name.split(".")[0] == "napari_colorgan"]


def relative(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_every_module_has_a_place(path: Path) -> None:
    assert place(part(path)) >= 0


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_no_arrow_points_left(path: Path) -> None:
    here = place(part(path))
    left = [name for name in own_imports(path) if place(part(name)) < here]
    if relative(path) != "__init__.py":  # imports lazily; its weight is tested below
        assert not left


def modules_imported(path: Path) -> set[Path]:
    """Files of ours that `path` imports, in functions and for type checkers, too."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            below = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= {name if file_of(name) else str(node.module) for name in below}
    return {file for name in names if (file := file_of(name))} - {path}


def file_of(module: str) -> Path | None:
    """The file of a module or package of ours: None for names and other packages."""
    place = PACKAGE.parent.joinpath(*module.split("."))
    files = (place.with_suffix(".py"), place / "__init__.py")
    return next((file for file in files if file in MODULES), None)


def test_imports_make_no_circle() -> None:
    # the public API reaches everything, lazily: it is no step on a way back
    public = PACKAGE / "__init__.py"
    arrows = {path: modules_imported(path) - {public} for path in MODULES}
    del arrows[public]
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(relative(path) for path in error.args[1][::-1]))


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_widgets_and_cli_never_meet(path: Path) -> None:
    faces = {"widgets", "cli"}
    if part(path) in faces:
        others = faces - {part(path)}
        assert not others & {part(name) for name in own_imports(path)}


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_only_widgets_know_napari(path: Path) -> None:
    if part(path) != "widgets":
        known = {name.split(".")[0] for name in imports(path)} & GUI
        assert known <= {name for file, name in ALLOWED if file == relative(path)}


def test_the_exception_is_lazy() -> None:
    for file, name in ALLOWED:
        if (path := PACKAGE / file).exists():
            assert name not in imports(path, top_level_only=True)


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_networks_and_color_know_only_errors(path: Path) -> None:
    if part(path) in TORCH_ONLY:
        assert {part(name) for name in own_imports(path)} <= TORCH_ONLY | {
            "arrays",
            "errors",
        }


@pytest.mark.parametrize("name", napari_colorgan.__all__)
def test_public_names_exist(name: str) -> None:
    assert getattr(napari_colorgan, name)
    assert name in dir(napari_colorgan)


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("napari_colorgan", "torch napari qtpy magicgui skimage dask"),
        ("napari_colorgan.errors", "torch napari qtpy"),
        ("napari_colorgan.job", "torch napari qtpy"),
        ("napari_colorgan.inference.axes", "torch napari qtpy"),
        ("napari_colorgan.inference.intensity", "torch napari qtpy"),
        ("napari_colorgan.training.settings", "torch napari qtpy"),
        ("napari_colorgan.training.events", "torch napari qtpy"),
        ("napari_colorgan.training.report", "torch napari qtpy"),
        ("napari_colorgan.training.train", "napari qtpy pooch dask platformdirs"),
        ("napari_colorgan.checkpoints.metadata", "torch napari qtpy"),
        ("napari_colorgan.checkpoints.zoo", "torch napari qtpy"),
        ("napari_colorgan.sample_data", "torch napari qtpy"),
        ("napari_colorgan.cli", "torch napari qtpy tifffile PIL imagecodecs"),
        ("napari_colorgan.widgets", "torch"),
    ],
)
def test_import_stays_light(module: str, unwanted: str) -> None:
    program = (
        f"import sys, {module}; print(*set('{unwanted}'.split()) & set(sys.modules))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == []
