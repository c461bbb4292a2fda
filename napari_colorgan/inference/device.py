"""Where to compute."""

import torch

from napari_colorgan.errors import BadSetting
from napari_colorgan.inference.settings import DEVICES

_ELSEWHERE = {"cpu": 1, "mps": 2}
_MOST_AT_ONCE = 16
_BYTES_OF_PIXEL = 1000  # of a window: `compact` takes 270 in float32, ResNets more


def choose_device(wish: str = "auto") -> torch.device:
    """Return the wished device, or the fastest there is.

    Raises
    ------
    BadSetting
        The device is unknown, or this machine or this torch has none.
    """
    kind = wish.split(":")[0]
    if wish != "auto" and kind not in DEVICES[1:]:
        raise BadSetting("device", wish, f"one of {', '.join(DEVICES)}")
    there = [*_gpus(), "cpu"]
    if wish == "auto":
        return torch.device(there[0])
    if kind not in there:
        raise BadSetting("device", wish, f"'cpu' or 'auto' here: {why_no_gpu()}")
    try:
        device = torch.device(wish)
    except RuntimeError:
        raise BadSetting(
            "device", wish, "a kind and a number, such as cuda:0"
        ) from None
    count = torch.cuda.device_count()
    if kind == "cuda" and (device.index or 0) >= count:
        raise BadSetting("device", wish, f"cuda:0 to cuda:{count - 1}")
    return device


def windows_at_once(device: torch.device, pixels: int) -> int:
    """How many windows of so many px a device predicts together.

    A CPU gains nothing by more than one. CUDA says how much of its memory is free; if
    it was promised to others meanwhile, fewer are tried again.
    """
    if device.type != "cuda":
        return _ELSEWHERE.get(device.type, 1)
    free, _ = torch.cuda.mem_get_info(device)
    return max(1, min(_MOST_AT_ONCE, free // 2 // (pixels * _BYTES_OF_PIXEL)))


def why_no_gpu() -> str:
    """One clause that says why work runs on the CPU; empty if a GPU can be used."""
    if _gpus():
        return ""
    cuda_built: bool = torch.backends.cuda.is_built()  # type: ignore[no-untyped-call]
    if not cuda_built and not torch.backends.mps.is_built():
        return f"torch {torch.__version__} is built without GPU support"
    return "torch finds no GPU with a working driver"


def _gpus() -> list[str]:
    """Kinds of GPU that can be used, the fastest first."""
    there = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    return [kind for kind in there if there[kind]]
