"""What the user is told when something cannot be done.

Every message says what was found, what was expected and what to do. None of these
derives from `RuntimeError`: napari's generator worker swallows that one.
"""

from collections.abc import Iterable, Sequence

_LONGEST = 300  # letters of a value in a sentence; of a path, on some systems, 260


class ColorganError(Exception):
    """Base of all errors a user may see; its text is one or two plain sentences."""

    def __reduce__(self) -> tuple[object, ...]:
        """Travel from process to process as text, whatever it was made of."""
        return _as_it_was, (type(self), str(self))


def _as_it_was(kind: type[ColorganError], text: str) -> ColorganError:
    error = kind.__new__(kind)
    error.args = (text,)
    return error


class BadSetting(ColorganError, ValueError):
    """A setting lies outside what is possible."""

    def __init__(self, name: str, value: object, expected: str) -> None:
        super().__init__(f"{name} is {shown(value)}; it must be {expected}.")


class BadArray(ColorganError, ValueError):
    """An array cannot be read as gray picture(s)."""


class BadAxes(BadArray):
    """Axis letters do not describe the array."""


class ColorSource(BadArray):
    """A picture with real colour was given where a gray one is expected."""

    def __init__(self, name: str, where: str = "") -> None:
        super().__init__(
            f"{name} already has colour (its channels differ{where}), but colorization "
            "starts "
            "from a gray picture. If its first axis are planes, say so: --axes ZYX on "
            'the command line, axes="ZYX" in Python. To replace its colours, use its '
            "lightness: "
            "--from-color on the command line, from_color=True in Python, "
            "'Use its lightness' in the widget."
        )


class BadPair(ColorganError, ValueError):
    """A gray and a colour picture cannot be used to train on, or to compare with."""


class NoPairs(BadPair):
    """There is nothing to learn from."""

    def __init__(self) -> None:
        super().__init__("There are no pairs. Add a gray and a colour picture first.")


class PairMismatch(BadPair):
    """The gray and the colour picture of a pair do not cover the same pixels."""

    def __init__(
        self,
        gray: str,
        color: str,
        gray_shape: Sequence[int],
        color_shape: Sequence[int],
    ) -> None:
        super().__init__(
            f"{gray} is {_by(gray_shape)} px but {color} is {_by(color_shape)} px. A "
            "pair needs the same pixels in both: crop or register one of them, then "
            "add the pair again."
        )


class BadImageFile(ColorganError, OSError):
    """An image file cannot be read or written."""


class CheckpointError(ColorganError):
    """A file is not a usable checkpoint."""


class NoColors(ColorganError):
    """A model predicts what is no number."""

    def __init__(self, model: str) -> None:
        super().__init__(
            f"The model '{model}' gives no colours here: what it predicts is not "
            "finite (NaN or infinite). Its weights are damaged, or the training that "
            "made them went wrong. Choose another model."
        )


class UnknownModel(ColorganError, LookupError):
    """No model has this name and no file this path."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        name = name if len(name) <= _LONGEST else f"{name[:_LONGEST]}..."
        super().__init__(
            f"There is no model or checkpoint file called '{name}'. Known models: "
            f"{', '.join(known)}. Give one of them or the path of a .safetensors file "
            "made by napari-colorgan."
        )


class TileTooSmall(ColorganError, ValueError):
    """A window is too small for its halo and blend."""

    def __init__(self, window: int, minimum: int) -> None:
        super().__init__(
            f"A tile of {window} px is too small; halo and blend alone need {minimum} "
            f"px. Set the tile size to {minimum} px or more."
        )


class OutOfMemory(ColorganError):
    """The smallest possible piece of work still does not fit into memory."""


class JobFailed(ColorganError):
    """The numerical library gave up in the middle of a job."""


class Stopped(ColorganError):
    """A job that has nothing to keep was stopped by the user."""


class ColorganWarning(UserWarning):
    """Something the user should know about a result that was still made."""


def _by(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))


def some(names: Iterable[object], most: int = 5) -> str:
    """Names or paths for a sentence: the first ones, and how many more there are."""
    listed = [f"'{name}'" for name in names]
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more or "none"


def shown(value: object) -> str:
    """Write a value for a sentence, in one line, whatever it is and however long."""
    try:
        text = " ".join(repr(value).split())
    except Exception:  # of lists in lists in lists, of numbers of 5,000 digits
        text = f"a {type(value).__name__} that is too large to be shown"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
