"""Peak memory and time of colouring zarr to zarr, at several sizes and types.

Prints, for every side in px and type, how far memory rises above that of a process
which has loaded the model and coloured one window, and seconds per megapixel. Each is a
process of its own. Linux only.
"""

import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

CHUNK = 1024  # px
_STATUS = Path("/proc/self/status")


def main(
    folder: Annotated[Path, typer.Argument(help="For inputs, which are kept.")],
    sides: Annotated[list[int], typer.Argument(help="In px, such as 4096 8192.")],
    model: Annotated[str, typer.Option(help="A model of either context.")] = "micro",
    engine: Annotated[str, typer.Option(help="What computes.")] = "auto",
    dtypes: Annotated[str, typer.Option(help="With commas between.")] = "uint8,uint16",
    suffix: Annotated[str, typer.Option(help="Of results: .zarr or .tif.")] = ".zarr",
) -> None:
    """Print a table."""
    folder.mkdir(parents=True, exist_ok=True)
    print("| side (px) | type | peak above the loaded model (MB) | s per megapixel |")
    print("|---|---|---|---|")
    for dtype in dtypes.split(","):
        for side in sides:
            source = make_input(folder, side, dtype)
            result = folder / f"result{suffix}"
            call = [str(source), str(result), model, engine]
            done = subprocess.run(
                [sys.executable, __file__, "--one", json.dumps(call)],
                check=True,
                stdout=subprocess.PIPE,
            )
            peak, seconds = json.loads(done.stdout)
            each = seconds / side**2 * 1e6
            print(f"| {side} | {dtype} | {peak:.0f} | {each:.3f} |", flush=True)
            if result.is_dir():
                shutil.rmtree(result)
            result.unlink(missing_ok=True)


def make_input(folder: Path, side: int, dtype: str) -> Path:
    """A photograph continued by mirroring, as a plain zarr array."""
    import zarr
    from skimage import data

    path = folder / f"{dtype}-{side}.zarr"
    if path.exists():
        return path
    gray = data.camera()
    both = np.block([[gray, gray[:, ::-1]], [gray[::-1], gray[::-1, ::-1]]])
    tile = both.astype(dtype) * (np.iinfo(dtype).max // 255)
    making = path.with_suffix(".making")
    shutil.rmtree(making, ignore_errors=True)
    array = zarr.create_array(
        making, shape=(side, side), chunks=(CHUNK, CHUNK), dtype=dtype
    )
    for y in range(0, side, CHUNK):
        for x in range(0, side, CHUNK):
            shape = min(CHUNK, side - y), min(CHUNK, side - x)
            array[y : y + CHUNK, x : x + CHUNK] = tile[: shape[0], : shape[1]]
    making.rename(path)
    return path


def one(source: str, result: str, model: str, engine: str) -> tuple[float, float]:
    """Peak in MB above the loaded model, and seconds, of this process."""
    import torch

    from napari_colorgan import Colorizer, colorize_file
    from napari_colorgan.image_io.begun import open_growing  # imports count as loaded

    assert open_growing is not None
    colorizer = Colorizer(model, "cpu", engine=engine)
    side = colorizer.tiling.window if colorizer.context == "local" else 256
    colorizer.predict(torch.rand(1, 1, side, side), None)
    before = in_mb("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
    began = time.perf_counter()
    colorize_file(source, result, colorizer, force=True)
    return in_mb("VmHWM") - before, time.perf_counter() - began


def in_mb(name: str) -> float:
    """A line of this process's status."""
    match = re.search(rf"{name}:\s+(\d+) kB", _STATUS.read_text())
    assert match is not None
    return int(match[1]) / 1024


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(one(*json.loads(sys.argv[2]))))
    else:
        typer.run(main)
