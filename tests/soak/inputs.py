"""Row: arrays of every kind and settings of every type, given to `colorize`."""

import itertools
import math
import shutil
import warnings
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import torch
import xarray
import zarr
from PIL import Image

from napari_colorgan import (
    ColorganError,
    Colorizer,
    ColorizerSettings,
    colorize,
    colorize_lazy,
    colorize_region,
)
from napari_colorgan.checkpoints.store import save
from napari_colorgan.errors import ColorganWarning
from napari_colorgan.inference.files import colorize_file
from napari_colorgan.inference.hints import Hints
from tests.soak.row import Row, Trial
from tests.soak.small_models import tiny

Make = Callable[[np.random.Generator, Path], Any]

_CODES = [*"?bBhHiIlLqQefdg", ">u2", ">i4", ">f4", ">f8", "F", "D", "G"]
_CODES += ["O", "S3", "U3", "M8[s]", "m8[s]", "V4", "i2,u1"]
_SHAPES = [(24, 20), (1, 1), (1, 300), (300, 1), (1, 1000), (2, 24, 20), (24, 20, 3)]
_SHAPES += [(24, 20, 4), (2, 3, 8, 9), (1, 1, 1, 1, 1, 8, 9), (0, 5), (5, 0), ()]
_SHAPES += [(7,), (0,), (2, 0, 8), (1,) * 12, (3, 3), (4, 4, 4), (2, 2), (8, 9, 2)]


def _of(shape: tuple[int, ...], code: str) -> Make:
    def make(random: np.random.Generator, _: Path) -> Any:
        values = random.integers(0, 120, shape)
        dtype = np.dtype(code)
        if dtype.names or dtype.kind == "V":
            return np.zeros(shape, dtype)
        return values.astype(dtype)

    return make


class _Raises:
    """Looks like an array, and raises when it is read."""

    shape = (24, 20)
    dtype = np.dtype("u2")
    ndim = 2

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __getitem__(self, _: object) -> Any:
        raise self.error


class _Lies(_Raises):
    """Gives other shapes and types than it says."""

    def __init__(self, given: Any) -> None:
        self.given = given

    def __getitem__(self, _: object) -> Any:
        return self.given


def _gray(random: np.random.Generator) -> Any:
    return random.integers(0, 65535, (24, 20)).astype(np.uint16)


def _stored(random: np.random.Generator, folder: Path) -> Any:
    return zarr.create_array(folder / "a.zarr", data=_gray(random), chunks=(8, 8))


def _mapped(random: np.random.Generator, folder: Path) -> Any:
    array = np.memmap(folder / "a.dat", np.uint16, "w+", shape=(24, 20))
    array[:] = _gray(random)
    return array


def _read_only(random: np.random.Generator, _: Path) -> Any:
    array = _gray(random)
    array.flags.writeable = False
    return array


def _unknown(random: np.random.Generator, _: Path) -> Any:
    array = dask.array.from_array(_gray(random), (8, 8))
    return array[array.sum(1) > 0]


def _filled(value: float, dtype: Any = float) -> Make:
    return lambda random, _: np.full((24, 20), value, dtype)


def _some(value: float, dtype: Any = float) -> Make:
    def make(random: np.random.Generator, _: Path) -> Any:
        array = _gray(random).astype(dtype)
        array[3, 4:9] = value
        return array

    return make


_ARRAYS: dict[str, Make] = {
    "unknown chunks": _unknown,
    "zarr": _stored,
    "mapped": _mapped,
    "read-only": _read_only,
    "dask": lambda r, _: dask.array.from_array(_gray(r), (7, 9)),
    "dask of one chunk": lambda r, _: dask.array.from_array(_gray(r), (24, 20)),
    "xarray": lambda r, _: xarray.DataArray(_gray(r), dims=("y", "x")),
    "xarray of dask": lambda r, _: xarray.DataArray(
        dask.array.from_array(np.stack([_gray(r)] * 2), (1, 8, 8)), dims=("z", "y", "x")
    ),
    "masked": lambda r, _: np.ma.masked_greater(_gray(r), 9000),
    "masked all": lambda r, _: np.ma.masked_all((24, 20), np.uint8),
    "lists": lambda r, _: _gray(r).tolist(),
    "ragged lists": lambda r, _: [[1, 2], [3]],
    "PIL": lambda r, _: Image.fromarray((_gray(r) >> 8).astype(np.uint8)),
    "torch": lambda r, _: torch.rand(24, 20),
    "torch with gradients": lambda r, _: torch.rand(24, 20, requires_grad=True),
    "torch bfloat16": lambda r, _: torch.rand(24, 20).bfloat16(),
    "matrix": lambda r, _: np.asmatrix(_gray(r)),
    "flipped": lambda r, _: _gray(r)[::-1, ::-1],
    "transposed": lambda r, _: _gray(r).T,
    "every other": lambda r, _: _gray(r)[::2, ::3],
    "broadcast": lambda r, _: np.broadcast_to(np.uint16(7), (24, 20)),
    "broadcast row": lambda r, _: np.broadcast_to(_gray(r)[:1], (24, 20)),
    "nan": _filled(math.nan),
    "inf": _filled(math.inf),
    "some nan": _some(math.nan),
    "some inf": _some(-math.inf),
    "some nan, float16": _some(math.nan, np.float16),
    "1e300": _some(1e300),
    "largest": _some(np.finfo(float).max),
    "subnormal": _filled(5e-324),
    "longdouble": _some(np.finfo(np.longdouble).max, np.longdouble),
    "smallest": _some(-np.finfo(float).max),
    "2 ** 64": _filled(2**64 - 1, np.uint64),
    "objects": lambda r, _: _gray(r).astype(object),
    "fractions": lambda r, _: [[Fraction(1, 3), Decimal(2)], [1, 2]],
    "huge numbers": lambda r, _: [[10**400, 1], [2, 3]],
    "a path": lambda r, f: f / "a.png",
    "text": lambda r, _: "gray.png",
    "bytes": lambda r, _: b"gray",
    "None": lambda r, _: None,
    "a number": lambda r, _: 7,
    "a dictionary": lambda r, _: {"a": 1},
    "a set": lambda r, _: {1, 2},
    "a generator": lambda r, _: (n for n in range(3)),
    "a class": lambda r, _: np.ndarray,
    "raises": lambda r, _: _Raises(ValueError("no file")),
    "raises nothing to say": lambda r, _: _Raises(Exception()),
    "raises RuntimeError": lambda r, _: _Raises(RuntimeError("gone")),
    "raises MemoryError": lambda r, _: _Raises(MemoryError()),
    "raises StopIteration": lambda r, _: _Raises(StopIteration()),
    "raises KeyboardInterrupt": lambda r, _: _Raises(KeyboardInterrupt()),
    "raises SystemExit": lambda r, _: _Raises(SystemExit(3)),
    "raises GeneratorExit": lambda r, _: _Raises(GeneratorExit()),
    "gives too little": lambda r, _: _Lies(np.zeros((2, 2), np.uint16)),
    "gives floats": lambda r, _: _Lies(np.full((24, 20), 7.5)),
    "gives text": lambda r, _: _Lies("text"),
    "gives None": lambda r, _: _Lies(None),
}

_VALUES: tuple[Any, ...] = (
    *(None, "x", "", b"x", 0, 1, -1, 0.5, 1e9, 10**400, -(10**400), math.nan),
    *(math.inf, True, [], [1], (1, 2), (0, math.nan), {}, {1}, object(), 1j),
    *(np.float32(0.5), np.int64(1), np.bool_(True), np.array(0.5), np.zeros(3)),
    *(np.zeros((3, 3)), np.array("x"), Fraction(1, 2), Decimal("0.5"), "0.5", int),
    *(slice(0, 1), range(2), (slice(0, 1), range(1)), "a\nb\0c" * 300, [[]], "TYX"),
    *((0, 10**400), (5, 1), (1, 5), ("0", "1"), np.array([1, 200]), (0, 1, -1)),
)
_NAMES = ("limits", "tile", "vividness", "axes", "device", "model", "planes", "hints")
_NAMES += ("context", "engine", "palette", "saturation", "warmth", "steady")
_NAMES += ("from_color", "working_size", "region", "index", "chunks", "points")
_NAMES += ("colors", "source", "result", "nobody")


def _given(name: str, value: Any, gray: Any, model: Any, folder: Path) -> Any:
    """Give one argument of this name a value; what comes of it."""
    stack = np.stack([gray, gray])
    if name == "model":
        return colorize(gray, value)
    if name == "working_size":
        return colorize(gray, ColorizerSettings(model=model, working_size=value))
    if name == "region":
        return colorize_region(gray, model, value)
    if name == "index":
        return colorize_region(stack, model, np.s_[0:5, 0:5], value)
    if name == "chunks":
        return colorize_lazy(gray, model, chunks=value).shape
    if name in ("points", "colors"):
        told = {"points": [[1, 1]], "colors": [[1, 2, 3]]} | {name: value}
        return Hints(**told)
    if name == "source":
        return colorize_file(value, folder / "out.png", model)
    if name == "result":
        path = folder / "in.png"
        Image.fromarray(gray).save(path)
        return colorize_file(path, value, model)
    if name in ("device", "nobody"):
        return Colorizer(model, **{name: value})
    return colorize(stack if name == "planes" else gray, model, **{name: value})


def _kind(call: Callable[[], Any], shape: tuple[int, ...] | None = None) -> str:
    """What came of a call; an AssertionError of what is broken."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            result = call()
        except ColorganError as error:
            text = str(error)
            assert text.endswith(".") and len(text) < 1000, f"refused: {text[:200]!r}"
            result = None
    others = [each for each in warned if not issubclass(each.category, ColorganWarning)]
    assert not others, f"warns: {others[0].message}"
    if isinstance(result, np.ndarray):
        assert result.dtype == np.uint8, f"gives {result.dtype}"
        assert shape is None or result.shape == shape, f"gives {result.shape}"
    return "refused" if result is None else "done"


def _trial(
    name: str,
    call: Callable[[], Any],
    shape: tuple[int, ...] | None = None,
    passes: type[BaseException] | None = None,
) -> Trial:
    try:
        kind = _kind(call, shape)
    except AssertionError as error:
        return Trial(f"{name}: {error}", "broken")
    except BaseException as error:
        if passes is not None and isinstance(error, passes):
            return Trial(kind="passed on")
        return Trial(f"{name}: {type(error).__name__}: {str(error)[:200]}", "broken")
    return Trial(kind=kind)


def _wanted(array: Any) -> tuple[int, ...] | None:
    """Shape of the result for plain gray arrays."""
    if isinstance(array, type) or not hasattr(array, "shape"):
        return None
    shape = tuple(array.shape)
    known = all(isinstance(n, int) for n in shape)
    if not known or len(shape) < 2 or (len(shape) > 2 and shape[-1] in (3, 4)):
        return None
    return (*shape, 3)


def _of_arrays(
    random: np.random.Generator, folder: Path, model: Any
) -> Iterator[tuple[str, Trial]]:
    made = {f"{code} {shape}": _of(shape, code) for shape in _SHAPES for code in "Bfg"}
    made |= {f"{code}": _of((24, 20), code) for code in _CODES}
    arrays = _ARRAYS | made
    for number, (name, make) in enumerate(arrays.items()):
        place = folder / f"array-{number}"
        place.mkdir()
        for how, run in (("colorize", colorize), ("colorize_lazy", _lazily)):
            array = make(random, place)
            error = getattr(array, "error", None)
            passes = None if isinstance(error, Exception) else type(error)
            call = _bound(run, array, model)
            shape = _wanted(array) if how == "colorize" else None
            yield f"{how}, {name}", _trial(f"{how}, {name}", call, shape, passes)
            shutil.rmtree(place)
            place.mkdir()


def _lazily(array: Any, model: Any, **options: Any) -> Any:
    return colorize_lazy(array, model, **options).compute(scheduler="synchronous")


def _bound(run: Callable[..., Any], array: Any, model: Any) -> Callable[[], Any]:
    return lambda: run(array, model)


def _of_values(
    random: np.random.Generator, folder: Path, model: Any
) -> Iterator[tuple[str, Trial]]:
    gray = (_gray(random) >> 8).astype(np.uint8)
    pairs = list(itertools.product(_NAMES, range(len(_VALUES))))
    random.shuffle(pairs)
    for number, (name, which) in enumerate(pairs):
        value = _VALUES[int(which)]
        place = folder / f"value-{number}"
        place.mkdir()
        said = (
            f"{name}={type(value).__name__} {str(value)[:40]!r}"
            if not isinstance(value, int)
            else f"{name}={float(value) if abs(value) < 1e300 else 'huge'}"
        )
        call = _call(str(name), value, gray, model, place)
        yield said, _trial(said, call)


def _call(
    name: str, value: Any, gray: Any, model: Any, folder: Path
) -> Callable[[], Any]:
    return lambda: _given(name, value, gray, model, folder)


def _trials(random: np.random.Generator, folder: Path) -> Iterator[Trial]:
    torch.set_num_threads(1)
    path = folder / "tiny.safetensors"  # which travels, as Dask needs it
    save(tiny(), path)
    model = Colorizer(path, device="cpu")
    rows = (_of_arrays(random, folder, model), _of_values(random, folder, path))
    for pair in itertools.zip_longest(*rows):
        for each in pair:
            if each is not None:
                yield each[1]


ROW = Row(
    "arrays and arguments of every type",
    "a result of the right shape, or one sentence; no warning",
    count=1200,
    trials=_trials,
)
