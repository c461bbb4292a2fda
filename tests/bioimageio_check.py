"""Does BioImage.IO's checker accept our packages? It needs an environment of its own.

    python tests/bioimageio_check.py write FOLDER   where napari-colorgan is installed
    python tests/bioimageio_check.py test FOLDER    where bioimageio.core is installed

The first writes a colorization and a translation model, the second runs them in every
format, at several sizes and batches, and fails unless all of it passes.
"""

import sys
from pathlib import Path


def write(folder: Path) -> None:
    import torch

    from napari_colorgan.checkpoints import zoo
    from napari_colorgan.checkpoints.bioimageio import export_bioimageio_job
    from napari_colorgan.checkpoints.metadata import Metadata
    from napari_colorgan.checkpoints.store import Checkpoint, load
    from napari_colorgan.job import finish
    from napari_colorgan.models import GeneratorSpec, build
    from napari_colorgan.sample_data import picture_for

    torch.manual_seed(0)
    options = {"out_channels": 3, "width": 16, "norm": "instance"}
    about = Metadata(
        generator="resnet",
        options=options,
        codec="rgb",
        context="local",
        statistics="picture",
        name="untrained",
        description="A translation model with random weights.",
        license="CC0-1.0",
    )
    weights = build(GeneratorSpec("resnet", options)).state_dict()
    natural = zoo.find("natural")
    for name, checkpoint, card in (
        ("colorization", load(natural.path), natural.card),
        ("translation", Checkpoint(about, weights), "# Untrained\n"),
    ):
        job = export_bioimageio_job(
            checkpoint,
            folder / f"{name}.zip",
            picture=picture_for(checkpoint.metadata.context),
            documentation=card,
            authors=["the napari-colorgan developers"],
        )
        print(finish(job))


def test(folder: Path) -> None:
    from bioimageio.core import test_model

    for name in ("colorization", "translation"):
        summary = test_model(folder / f"{name}.zip")
        formats = {detail.name.split("(")[-1] for detail in summary.details}
        assert summary.status == "passed", summary.format()
        for wanted in ("pytorch_state_dict)", "torchscript)", "onnx)"):
            assert wanted in formats, f"{wanted[:-1]} was not tested"
        print(f"{name}: {summary.status}, {len(summary.details)} checks")


if __name__ == "__main__":
    commands = {"write": write, "test": test}
    if len(sys.argv) != 3 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    commands[sys.argv[1]](Path(sys.argv[2]))
