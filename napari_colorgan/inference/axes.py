"""Which dimension of an array is what."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Self

from napari_colorgan.errors import BadAxes, shown

LEADING = "TZCPRMQI"
"""Letters of axes beside Y and X: time, depth, channel, position, others."""


_STEADY = "TZIQ"
"""Axes along which planes are alike, the first that there is; I, Q: not known."""


@dataclass(frozen=True, slots=True)
class Axes:
    """One letter per dimension; Y and X once each, S (RGB samples) at most once."""

    letters: str

    @classmethod
    def of(cls, shape: tuple[int, ...], letters: str | None = None) -> Self:
        """Check `letters` against `shape`, or assume (..., Y, X[, S]) without letters.

        Without letters a last dimension of 3 or 4, behind two others, is taken for RGB
        or RGBA samples.

        Raises
        ------
        BadAxes
            Too few dimensions; letters unknown, repeated, or not one per dimension.
        """
        if letters is None:
            samples = "S" if len(shape) > 2 and shape[-1] in (3, 4) else ""
            leading = len(shape) - len(samples) - 2
            if leading < 0:
                raise BadAxes(
                    f"The array has the shape {shape}; a gray picture needs at least "
                    "the two dimensions Y and X."
                )
            if leading > len(LEADING):
                raise BadAxes(
                    f"The array has {len(shape)} dimensions; at most "
                    f"{len(LEADING) + 2} and RGB samples can be named."
                )
            # which letter an unnamed axis gets has no effect on the result
            return cls(LEADING[:leading] + "YX" + samples)
        upper = letters.upper()
        if len(upper) != len(shape):
            raise BadAxes(
                f"axes is {shown(letters)}, which is {len(upper)} letters, but the "
                f"array has {len(shape)} dimensions ({' x '.join(map(str, shape))}). "
                "Give one letter per dimension, such as TYX."
            )
        unknown = sorted(set(upper) - set(LEADING + "YXS"))
        doubled = sorted({c for c in upper if upper.count(c) > 1})
        if unknown or doubled or not {"Y", "X"} <= set(upper):
            what = (
                f"the unknown letter '{unknown[0]}'"
                if unknown
                else f"'{doubled[0]}' twice"
                if doubled
                else "no Y or no X"
            )
            raise BadAxes(
                f"axes is {shown(letters)}, with {what}. Use Y and X once each and, "
                f"for other dimensions, different letters of {', '.join(LEADING)} "
                "(S for RGB)."
            )
        if "S" in upper and shape[upper.index("S")] not in (3, 4):
            raise BadAxes(
                f"axes is {shown(letters)}, but the dimension S has length "
                f"{shape[upper.index('S')]}; RGB samples are 3 or 4. Use C for "
                "channels to be coloured one by one."
            )
        return cls(upper)

    @property
    def leading(self) -> str:
        """Letters of the axes that are stepped through, in the array's order."""
        return "".join(c for c in self.letters if c not in "YXS")

    @property
    def steady(self) -> int | None:
        """Which of the leading axes neighbours are alike along; None if none is."""
        letter = next((each for each in _STEADY if each in self.leading), None)
        return None if letter is None else self.leading.index(letter)

    @property
    def order(self) -> tuple[int, ...]:
        """Permutation of the dimensions to (leading..., Y, X[, S])."""
        wanted = self.leading + "YX" + ("S" if "S" in self.letters else "")
        return tuple(self.letters.index(letter) for letter in wanted)


def letters_of(names: Sequence[str]) -> str | None:
    """Letters for dimensions that have names of their own; None unless y and x do.

    RGB samples are called rgb or s. Other names of one letter are kept where we know
    them, and what is left gets letters that are free.
    """
    letters = [
        "S" if name.lower() in ("rgb", "rgba") else name.upper() for name in names
    ]
    if not {"Y", "X"} <= set(letters) or len(names) > len(LEADING) + 2:
        return None
    free = [letter for letter in LEADING if letter not in letters]
    return "".join(c if c in tuple(LEADING + "YXS") else free.pop(0) for c in letters)


def indices(
    leading: tuple[int, ...], first: tuple[int, ...] | None = None
) -> Iterator[tuple[int, ...]]:
    """Index of every plane of an array with these leading lengths, `first` first."""
    if first is not None:
        yield first
    for index in product(*map(range, leading)):
        if index != first:
            yield index
