"""`colorgan models`."""

from typing import Annotated

import typer

from napari_colorgan.checkpoints import zoo
from napari_colorgan.cli._terminal import say, say_notes


def models(
    name: Annotated[
        str | None, typer.Argument(help="Print the card of this model.")
    ] = None,
) -> None:
    """List the models, or print the card of one."""
    if name is not None:
        say(zoo.find(name).card)
        return
    rows = [("NAME", "GENERATOR", "KIND", "CONTEXT", "LICENCE")]
    descriptions = [""]
    found, unreadable = zoo.look()
    for model in found:
        about = model.metadata
        licence = about.license or "not stated"
        rows.append((model.name, about.generator, model.kind, about.context, licence))
        descriptions.append(model.description)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row, description in zip(rows, descriptions, strict=True):
        cells = (c.ljust(width) for c, width in zip(row, widths, strict=True))
        say("  ".join(cells).rstrip())
        if description:
            say(f"    {description}")
    say_notes([str(file) for file in unreadable])
