"""Make the moving picture of the README: a gray photograph, coloured step by step.

    xvfb-run -a -s "-screen 0 1400x1000x24" python tests/benchmarks/animation.py OUT.gif

OUT is a GIF, made of the real window: the picture, and beside it the part of the dock
that is used. The photograph is *astronaut* (NASA, public domain), which comes with
scikit-image, without its colours.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from skimage import data

from napari_colorgan.training.pairs import gray_of

SIZE = (920, 590)  # px of the window
HEAD = 30  # px of a caption
MOMENT, LAST = 1200, 2600  # ms that a frame is shown
COLORS, ROUNDS = 256, 4  # of a frame, and how often they are moved to fit
PATIENCE = 120.0  # s
NAME = "photograph"
PALETTES = (
    ("warm print", "Like a warm print ..."),
    ("daylight", "... or like a picture in daylight"),
)
HINTS = (  # row, column, colour, and what it is
    (345, 120, (222, 104, 40), "A hint: the suit is orange"),
    (120, 350, (104, 132, 180), "Another one: the backdrop is blue"),
)


@dataclass(frozen=True)
class Frame:
    """A moment: what is seen, and where the mouse is."""

    picture: Image.Image
    caption: str
    at: tuple[int, int] | None = None
    """x and y, px."""

    def drawn(self) -> Image.Image:
        width, height = self.picture.size
        whole = Image.new("RGB", (width, height + HEAD), "#262930")
        whole.paste(self.picture, (0, HEAD))
        pen = ImageDraw.Draw(whole)
        font = ImageFont.load_default(17)
        pen.text((10, HEAD // 2), self.caption, "white", font, anchor="lm")
        if self.at is not None:
            x, y = self.at[0], self.at[1] + HEAD
            arrow = ((0, 0), (0, 21), (5, 16), (9, 25), (13, 23), (9, 15), (16, 15))
            pen.polygon([(x + a, y + b) for a, b in arrow], "white", "black", width=1)
        return whole


class Stage:
    """A viewer with the dock, and its frames."""

    def __init__(self, model: str) -> None:
        import napari

        from napari_colorgan.widgets.colorize.dock import ColorizeWidget

        self.viewer = napari.Viewer()
        self.window: Any = self.viewer.window._qt_window
        for name in ("dockLayerControls", "dockLayerList", "dockConsole"):
            getattr(self.viewer.window._qt_viewer, name).hide()
        self.viewer.window._status_bar.hide()
        self.viewer.window.main_menu.hide()
        self.dock = ColorizeWidget(self.viewer)
        frame = self.viewer.window.add_dock_widget(self.dock, name="Colorize")
        self.window.resize(*SIZE)
        self.window.resizeDocks([frame], [400], _horizontal())
        photograph = (gray_of(data.astronaut()) * 255).round().astype(np.uint8)
        self.viewer.add_image(photograph, name=NAME)
        if Path(model).is_file():
            self.dock.models.add(Path(model))
        else:
            self.dock.choose_model(model)
        self.wait(lambda: self.dock.preview.has_picture)

    def wait(self, until: Callable[[], bool], rest: float = 1.5) -> None:
        """Let the window live until something is so, and then for some seconds."""
        from qtpy.QtWidgets import QApplication

        end = time.perf_counter() + PATIENCE
        while not until() and time.perf_counter() < end:
            QApplication.processEvents()
            time.sleep(0.005)
        end = time.perf_counter() + rest
        while time.perf_counter() < end:
            QApplication.processEvents()
            time.sleep(0.005)

    def frame(self, caption: str, part: Any, click: Any = None) -> Frame:
        """Take a frame in which a part of the dock can be seen.

        Parameters
        ----------
        click : a widget, or row and column of the photograph, where the mouse is
        """
        area = part
        while not hasattr(area, "verticalScrollBar"):
            area = area.parentWidget()
        top = part.mapTo(area.widget(), part.rect().topLeft()).y()
        area.verticalScrollBar().setValue(top - 8)
        self.wait(lambda: True, 0.3)
        shot = self.window.grab().toImage()
        shot = shot.convertToFormat(shot.Format.Format_RGB888)
        rows = np.frombuffer(shot.constBits().asarray(shot.sizeInBytes()), np.uint8)
        rows = rows.reshape(shot.height(), shot.bytesPerLine())[:, : 3 * shot.width()]
        picture = Image.fromarray(rows.reshape(shot.height(), shot.width(), 3))
        return Frame(picture, caption, None if click is None else self._place(click))

    def _place(self, click: Any) -> tuple[int, int]:
        if isinstance(click, tuple):
            canvas = self.viewer.window._qt_viewer.canvas.native
            middle = self.viewer.scene.camera.center[-2:]
            y, x = (
                round(side / 2 + (at - center) * self.viewer.scene.camera.zoom)
                for side, at, center in zip(
                    (canvas.height(), canvas.width()), click, middle, strict=True
                )
            )
            point = canvas.mapTo(self.window, canvas.rect().topLeft())
            return point.x() + x, point.y() + y
        point = click.mapTo(self.window, click.rect().center())
        return point.x(), point.y()

    def changed(self, change: Callable[[], object]) -> None:
        """Change something, and wait until the result shows it."""
        painted: list[bool] = []
        finish = self.dock.results.finish
        self.dock.results.finish = lambda *given: (
            finish(*given),
            painted.append(True),
        )
        change()
        self.wait(lambda: bool(painted))
        self.dock.results.finish = finish


def _horizontal() -> Any:
    from qtpy.QtCore import Qt

    return Qt.Orientation.Horizontal


def frames(stage: Stage) -> Iterator[Frame]:
    dock = stage.dock
    run, panel, hints = dock.run.native, dock.palette_panel, dock.hints
    start = dock.preview
    yield stage.frame("A gray photograph, and a preview of its colours", start)
    yield stage.frame("Colorize", start, run)
    run.click()
    stage.wait(lambda: not dock.busy and dock.running.done)
    yield stage.frame("The model's own guess", start, run)
    chosen = panel.reference.native
    for palette, caption in PALETTES if not dock.live.missing_palette() else ():
        stage.changed(lambda name=palette: setattr(panel.reference, "value", name))
        yield stage.frame(caption, chosen, chosen)
    hints.add.click()
    for row, column, color, caption in HINTS:
        hints.colors.use(color)
        stage.changed(lambda at=(row, column), c=color: hints.add_hint(at, c))
        yield stage.frame(caption, hints, (row, column))
    stage.viewer.layers.selection.active = stage.viewer.layers[NAME]
    stage.viewer.layers[f"{NAME} hints"].visible = False
    for split in (0.7, 0.3):
        dock.preview.move_split(split)
        yield stage.frame("Two hints later; the preview splits gray and colour", start)


def write(pictures: list[Image.Image], out: Path) -> None:
    """Write a GIF, without the noise of dither, which does not compress."""
    method, dither = Image.Quantize.MAXCOVERAGE, Image.Dither.NONE
    first, *rest = [
        picture.quantize(COLORS, method, kmeans=ROUNDS, dither=dither)
        for picture in pictures
    ]
    times = [MOMENT] * len(rest) + [LAST]
    first.save(out, save_all=True, append_images=rest, duration=times, loop=0)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument(
        "--model", default="natural", help="without palettes, there are two frames less"
    )
    parser.add_argument("--frames", type=Path, help="a folder for the single frames")
    choice = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:  # the user's settings stay
        os.environ |= {f"XDG_{each}_HOME": folder for each in ("DATA", "CONFIG")}
        os.environ["NAPARI_CONFIG"] = str(Path(folder) / "napari.yaml")
        stage = Stage(choice.model)
        pictures = [frame.drawn() for frame in frames(stage)]
        stage.viewer.close()
    if choice.frames is not None:
        choice.frames.mkdir(parents=True, exist_ok=True)
        for number, picture in enumerate(pictures):
            picture.save(choice.frames / f"{number:02}.png")
    write(pictures, choice.out)
    print(f"{choice.out}: {choice.out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
