"""What arrays hold, and where in them: the names that annotations share."""

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
"""Of any type."""

Gray = npt.NDArray[np.float32]
"""(..., Y, X) in [0, 1]."""

RGB = npt.NDArray[np.uint8]
"""(..., Y, X, 3), sRGB."""

Mask = npt.NDArray[np.bool_]
"""(..., Y, X)."""

Region = tuple[slice, slice]
"""Rows and columns of a plane, with explicit non-negative start and stop in px."""
