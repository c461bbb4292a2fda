"""A display for windows on a Linux machine without one."""

import atexit
import os
import subprocess


def has_display() -> bool:
    return "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ


def start_xvfb() -> None:
    """Start a server of its own for this process and those it starts.

    Qt's offscreen platform has no OpenGL: napari cannot show an image with it.

    Raises
    ------
    RuntimeError
        It does not start.
    """
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "1600x1200x24"],
        pass_fds=[write],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    atexit.register(server.wait)
    atexit.register(server.terminate)  # first: the last one registered runs first
    os.close(write)
    with os.fdopen(read) as answer:
        number = answer.readline().strip()
    if not number:
        raise RuntimeError("Xvfb does not start: run `Xvfb :99` to see why.")
    os.environ["DISPLAY"] = f":{number}"


def keep_programs() -> None:
    """Never delete a program of a graphics card, in this process.

    Mesa's software renderers (25, without a graphics card) read freed memory soon after
    one was deleted. Plain napari 0.9.2 shows it: add eight images of 64 x 64 px, remove
    the lowest, draw, and so on: a segmentation fault in `glDrawArrays`.
    """
    from vispy.gloo.glir import GlirProgram

    GlirProgram.delete = lambda self: None
