"""Memory that is freed goes back to the system, where it would else be kept."""

import ctypes
import sys

_M_MMAP_THRESHOLD = -3  # of malloc.h
_MAPPED_ABOVE = 4 << 20  # bytes


def give_back_freed() -> None:
    """Let glibc map large buffers, which it gives back as soon as they are freed.

    It would raise the limit for that to 32 MB by and by, and keep the buffers between
    the layers of a network, 150 MB at windows of 1152 px, in ever more pieces. Costs
    a tenth of the time of torch. Nothing happens where malloc is another one.
    """
    if sys.platform.startswith("linux"):
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(_M_MMAP_THRESHOLD, _MAPPED_ABOVE)
