"""Does ome-zarr-models accept what we write? It needs an environment of its own.

    python tests/ome_zarr_check.py write FOLDER   where napari-colorgan is installed
    python tests/ome_zarr_check.py test FOLDER    where ome-zarr-models is installed

The first colours a plane and a stack, and stops in the middle of another plane; the
second fails unless all of them are valid OME-Zarr 0.5.
"""

import sys
from pathlib import Path

NAMES = ("plane", "stack", "begun")


def write(folder: Path) -> None:
    import numpy as np
    import zarr
    from skimage import data

    from napari_colorgan import ColorizerSettings
    from napari_colorgan.image_io import growing
    from napari_colorgan.inference.files import Choices, color_file_job
    from napari_colorgan.job import Control, finish

    growing.CHUNK = 128
    gray = np.tile(data.camera(), (2, 2))[:600, :840]
    settings = ColorizerSettings(model="natural", device="cpu", engine="torch")
    for name in NAMES:
        small = gray[:300, :420]
        stack = np.stack([[small, small[::-1]]] * 2) if name == "stack" else gray
        zarr.create_array(folder / f"{name}.in.zarr", data=stack)
        control = Control()
        if name == "begun":
            control.request_stop()
        choices = Choices(axes="TZYX"[-stack.ndim :])
        source, result = folder / f"{name}.in.zarr", folder / f"{name}.zarr"
        finish(color_file_job(source, result, settings, choices), control=control)
        print(result)


def test(folder: Path) -> None:
    import zarr
    from ome_zarr_models.v05 import Image

    for name in NAMES:
        image = Image.from_zarr(zarr.open_group(folder / f"{name}.zarr", mode="r"))
        attributes = image.attributes.ome
        (multiscale,) = attributes.multiscales
        assert len(multiscale.datasets) > 2, multiscale.datasets
        shown = attributes.model_dump()["omero"]["channels"]
        assert [each["label"] for each in shown] == ["red", "green", "blue"], shown
        print(f"{name}: valid, axes {[axis.name for axis in multiscale.axes]}")


if __name__ == "__main__":
    commands = {"write": write, "test": test}
    if len(sys.argv) != 3 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    commands[sys.argv[1]](Path(sys.argv[2]))
