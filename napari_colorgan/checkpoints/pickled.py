"""What a pickle of weights declares, told without running it.

Of pickle's machine only that part is known here which `torch.save` uses for tensors by
name, and of what it would call, only the makers of tensors. Nothing is called at all:
tensors are noted, without values.
"""

import math
import pickletools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch

from napari_colorgan.checkpoints.foreign import HOW_TO_SAVE, declares_too_much
from napari_colorgan.errors import CheckpointError

_PROTOCOL = 2  # of pickle, in which torch writes; of others it warns
_MOST_STEPS = 200_000  # of a pickle; a U-Net takes 3,000
_MOST_SIDES = 8

_STORAGES = {
    "torch BFloat16Storage": torch.bfloat16,
    "torch DoubleStorage": torch.float64,
    "torch FloatStorage": torch.float32,
    "torch HalfStorage": torch.float16,
    "torch LongStorage": torch.int64,
}
_TENSORS = ("torch._utils _rebuild_tensor", "torch._utils _rebuild_tensor_v2")
_PARAMETER = "torch._utils _rebuild_parameter"
_DICTIONARY = "collections OrderedDict"
_GLOBALS = frozenset([*_STORAGES, *_TENSORS, _PARAMETER, _DICTIONARY])

_VALUES = frozenset(
    "BININT BININT1 BININT2 LONG1 BINFLOAT BINUNICODE SHORT_BINSTRING BINSTRING".split()
)
"""Steps that put their argument onto the stack."""
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


@dataclass(frozen=True, slots=True)
class _Global:
    name: str


@dataclass(frozen=True, slots=True)
class _Storage:
    """Numbers that follow the pickle."""

    dtype: torch.dtype
    count: int


class Pickle:
    """Runs through one pickle.

    Parameters
    ----------
    limit : bytes of the file, which no number in it can exceed
    path : of the file, named in errors
    """

    def __init__(self, limit: int, path: Path) -> None:
        self._limit = limit
        self._path = path
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}
        self._storages: dict[object, int] = {}  # bytes of each

    def read(self, file: BinaryIO) -> Any:
        """Return what it makes, with tensors on the device `meta`.

        Raises
        ------
        CheckpointError
            It makes anything else, or declares more than the file holds.
        Exception
            Of any kind: it is damaged.
        """
        for number, (step, argument, _) in enumerate(pickletools.genops(file)):
            if number > _MOST_STEPS:
                raise declares_too_much(self._path)
            if isinstance(argument, int) and argument > self._limit:
                raise declares_too_much(self._path)
            self._step(step.name, argument)
        return self._stack.pop()

    def _step(self, name: str, argument: Any) -> None:
        stack = self._stack
        if name in _VALUES:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _TUPLES:
            stack.append(tuple(self._popped(_TUPLES[name])))
        elif name in ("BINPUT", "LONG_BINPUT"):
            self._memo[argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(self._memo[argument])
        elif name == "GLOBAL":
            stack.append(self._checked(argument))
        elif name == "MARK":
            self._marks.append(len(stack))
        elif name == "TUPLE":
            stack.append(tuple(self._since_mark()))
        elif name == "EMPTY_DICT":
            stack.append({})
        elif name == "EMPTY_LIST":
            stack.append([])
        elif name in ("APPEND", "APPENDS"):
            items = self._popped(1) if name == "APPEND" else self._since_mark()
            stack[-1].extend(items)
        elif name in ("SETITEM", "SETITEMS"):
            items = self._popped(2) if name == "SETITEM" else self._since_mark()
            _put(stack[-1], list(zip(items[::2], items[1::2], strict=True)))
        elif name == "REDUCE":
            function, arguments = self._popped(2)
            stack.append(self._made(function, arguments))
        elif name == "BINPERSID":
            stack.append(self._storage(stack.pop()))
        elif name == "BUILD":
            stack.pop()  # attributes, which nobody asks for
        elif name == "PROTO" and argument != _PROTOCOL:
            raise ValueError(f"pickle protocol {argument}")
        elif name not in ("PROTO", "STOP"):
            raise ValueError(f"{name} in a pickle of weights")

    def _popped(self, count: int) -> list[Any]:
        place = len(self._stack) - count
        if place < (self._marks[-1] if self._marks else 0):
            raise ValueError("an empty stack")
        items = self._stack[place:]
        del self._stack[place:]
        return items

    def _since_mark(self) -> list[Any]:
        place = self._marks.pop()
        items = self._stack[place:]
        del self._stack[place:]
        return items

    def _checked(self, name: str) -> _Global:
        if name in _GLOBALS:
            return _Global(name)
        shown = name.replace(" ", ".")[:60]
        raise CheckpointError(
            f"'{self._path}' holds Python objects ({shown!r}) besides weights; to open "
            f"it could run any program. {HOW_TO_SAVE}"
        )

    def _storage(self, told: tuple[Any, ...]) -> _Storage:
        """Note where numbers are, of which all together fit into the file."""
        word, kind, key, _, count, *view = told
        if word != "storage" or any(part is not None for part in view) or count < 0:
            raise ValueError("a reference to something else")
        storage = _Storage(_STORAGES[kind.name], count)
        self._storages[str(key)[:60]] = count * storage.dtype.itemsize
        if sum(self._storages.values()) > self._limit:
            raise declares_too_much(self._path)
        return storage

    def _made(self, function: _Global, arguments: tuple[Any, ...]) -> Any:
        """Note what a function would make."""
        if function.name == _DICTIONARY:
            result: dict[Any, Any] = {}
            _put(result, arguments[0] if arguments else [])
            return result
        if function.name == _PARAMETER:
            return arguments[0]
        if function.name not in _TENSORS:
            raise ValueError(f"{function.name} is called")
        storage, offset, shape, strides = arguments[:4]
        if len(shape) > _MOST_SIDES:
            raise ValueError(f"{len(shape)} sides")
        last = offset + sum(
            (side - 1) * stride for side, stride in zip(shape, strides, strict=True)
        )
        if min([offset, *shape, *strides]) < 0:
            raise ValueError("a negative size")
        count = math.prod(shape)
        if count > storage.count or (count and last >= storage.count):
            raise declares_too_much(self._path)
        return torch.empty(shape, dtype=storage.dtype, device="meta")


def _put(things: dict[Any, Any], items: Sequence[Sequence[Any]]) -> None:
    """Add to a dictionary; tuples of tuples as keys may take for ever to compare."""
    for key, value in items:
        if not isinstance(key, str | int):
            raise ValueError(f"{type(key).__name__} as a name")
        things[key] = value


def is_weights(value: object) -> bool:
    """Whether these are tensors by name, and at least one."""
    return (
        isinstance(value, Mapping)
        and bool(value)
        and all(isinstance(tensor, torch.Tensor) for tensor in value.values())
    )
