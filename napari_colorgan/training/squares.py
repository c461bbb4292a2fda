"""Squares painted into many pictures at once."""

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]


def squares(
    pictures: Integers,
    sides: Integers,
    top: Integers,
    left: Integers,
    size: tuple[int, int],
    most: int,
) -> Integers:
    """Pixels of K squares of up to `most` px, counted through all pictures of `size`.

    (K, most, most): a smaller square repeats its last row and column, as does one that
    reaches beyond its picture.
    """
    steps = np.minimum(np.arange(most), sides[:, None] - 1)
    rows, columns = (
        np.minimum(start[:, None] + steps, full - 1)
        for start, full in zip((top, left), size, strict=True)
    )
    rows += pictures[:, None] * size[0]
    return rows[:, :, None] * size[1] + columns[:, None]


def last_painted(places: Integers) -> Integers:
    """Which of K squares is seen at each of its places (K, ...): the last one there."""
    seen = np.empty(places.max() + 1, np.int64)
    seen[places] = np.arange(len(places))[:, None, None]
    return seen[places]
