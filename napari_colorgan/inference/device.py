"""Where to compute."""

import torch

from napari_colorgan.errors import BadSetting

CHOICES = ("auto", "cpu", "cuda", "mps")


def choose_device(wish: str = "auto") -> torch.device:
    """Return the wished device, or the fastest there is.

    Raises
    ------
    BadSetting
        The device is unknown, or this machine or this torch has none.
    """
    kind = wish.split(":")[0]
    if wish != "auto" and kind not in CHOICES[1:]:
        raise BadSetting("device", wish, f"one of {', '.join(CHOICES)}")
    there = {"cpu": True, "cuda": _has_cuda(), "mps": _has_mps()}
    if wish == "auto":
        return torch.device(next(k for k in ("cuda", "mps", "cpu") if there[k]))
    if not there[kind]:
        raise BadSetting("device", wish, f"'cpu' or 'auto' here: {why_no_gpu()}")
    try:
        device = torch.device(wish)
    except RuntimeError:
        raise BadSetting(
            "device", wish, "a kind and a number, such as cuda:0"
        ) from None
    if kind == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise BadSetting("device", wish, f"cuda:0 to cuda:{count - 1}")
    return device


def why_no_gpu() -> str:
    """One clause that says why work runs on the CPU; empty if a GPU can be used."""
    if _has_cuda() or _has_mps():
        return ""
    cuda_built: bool = torch.backends.cuda.is_built()  # type: ignore[no-untyped-call]
    if not cuda_built and not torch.backends.mps.is_built():
        return f"torch {torch.__version__} is built without GPU support"
    return "torch finds no GPU with a working driver"


def _has_cuda() -> bool:
    return torch.cuda.is_available()


def _has_mps() -> bool:
    return torch.backends.mps.is_available()
