"""Whether a training is long enough for a result, said before it begins."""

from napari_colorgan.job import duration

# Steps from which a result can be expected. From `micro` to a stain it does not know:
# 10 of 60 steps are as good as gray, 20 are 9 dB better (the sample pair).
_FROM_MODEL = 20
_FROM_SCRATCH = 300


def warn_of_few(steps: int, *, fresh: bool, step: float = 0.0) -> str:
    """Say that a training has too few steps for a result; empty if it has enough.

    Parameters
    ----------
    fresh : whether it begins with fresh weights
    step : seconds that one takes; 0: not known
    """
    needed = _FROM_SCRATCH if fresh else _FROM_MODEL
    if steps >= needed:
        return ""
    few = f"{steps} step is" if steps == 1 else f"{steps} steps are"
    time = f": {duration(needed * step)} of training here" if step else ""
    return f"{few} too few for a result, which takes about {needed}{time}."
