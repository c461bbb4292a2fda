"""What is imported is declared, with the lowest version that may be installed."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
LATER = {"bioimageio_description.py"}
"""Files that import what an extra brings, and are imported where there is that."""


def normal(name: str) -> str:
    return re.sub("[-_.]+", "-", name).lower()


def names(requirements: list[str]) -> set[str]:
    """Distributions that are required; extras of ours are resolved."""
    found = set()
    for requirement in requirements:
        name, extras = re.match(r"([\w.-]+)(?:\[([^]]*)\])?", requirement).groups()
        if name == PROJECT["name"]:
            found |= names([r for extra in extras.split(",") for r in EXTRAS[extra]])
        else:
            found.add(normal(name))
    return found


@cache
def distributions() -> dict[str, set[str]]:
    """Names that can be imported, and the distributions that hold them."""
    return {k: set(map(normal, v)) for k, v in packages_distributions().items()}


def foreign(nodes: Iterator[ast.AST]) -> set[str]:
    """First names of what is imported, but for Python's own modules and ours."""
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(str(node.module).split(".")[0])
    return found - sys.stdlib_module_names - {"napari_colorgan", "tests"}


def imported(files: Iterator[Path], *, at_once: bool = False) -> set[str]:
    """Names that files import; `at_once`: when they are imported themselves."""
    found = set()
    for path in files:
        tree = ast.parse(path.read_text("utf-8"))
        found |= foreign(iter(tree.body) if at_once else ast.walk(tree))
    return found


def undeclared(imports: set[str], declared: set[str]) -> set[str]:
    return {name for name in imports if not distributions().get(name, set()) & declared}


def ours() -> Iterator[Path]:
    return (ROOT / "napari_colorgan").rglob("*.py")


def test_what_the_package_imports_is_declared() -> None:
    always = names(PROJECT["dependencies"])
    files = (path for path in ours() if path.name not in LATER)
    assert undeclared(imported(files, at_once=True), always) == set()
    extras = {name for name in EXTRAS if name not in ("all", "benchmarks", "test")}
    perhaps = names([r for name in extras for r in EXTRAS[name]])
    assert undeclared(imported(ours()), always | perhaps) == set()


def test_what_is_declared_is_imported() -> None:
    used = {d for name in imported(ours()) for d in distributions().get(name, ())}
    assert names(PROJECT["dependencies"]) - used == set()


def test_what_the_tests_import_is_declared() -> None:
    files = (path for path in (ROOT / "tests").glob("*.py") if "check" not in path.stem)
    scripts = {path.stem for path in (ROOT / "tests").rglob("*.py")}
    scripts |= {path.name for path in (ROOT / "tests" / "benchmarks").iterdir()}
    declared = names(PROJECT["dependencies"]) | names(EXTRAS["test"])
    assert undeclared(imported(files) - scripts, declared) == set()


@pytest.mark.parametrize("group", ["dependencies", *EXTRAS])
def test_every_requirement_has_a_lowest_version(group: str) -> None:
    requirements = PROJECT[group] if group == "dependencies" else EXTRAS[group]
    others = [r for r in requirements if not r.startswith(PROJECT["name"])]
    assert [r for r in others if not re.search(r"(>=|==)\s*\d", r)] == []
