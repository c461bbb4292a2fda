"""The small picture of what a run would make."""

from collections.abc import Callable

from napari_colorgan.arrays import RGB
from napari_colorgan.inference.settings import ColorizerSettings
from napari_colorgan.widgets.colorize.run import preview_layer_job
from napari_colorgan.widgets.parts.layers import LayerSource
from napari_colorgan.widgets.parts.picture import Picture
from napari_colorgan.widgets.parts.worker import LatestOnly, sentence

SIDE = 220  # px


class Preview(Picture):
    """Follows what is chosen; of several requests, the newest wins.

    Parameters
    ----------
    say : shows why there is no preview; gets an empty text once there is one
    """

    def __init__(self, say: Callable[[str], object]) -> None:
        super().__init__(SIDE)
        self._say = say
        self._latest = LatestOnly(self._on_result, self._on_error)
        self._closed = False

    def show_layer(
        self, source: LayerSource, settings: ColorizerSettings, *, supersede: bool
    ) -> None:
        """Colour the displayed plane of a layer.

        Parameters
        ----------
        supersede : whether a preview that is being made is given up
        """
        self._latest.request(
            lambda: preview_layer_job(source, settings, SIDE), supersede=supersede
        )

    def stop(self, *, hide: bool = False) -> None:
        """Make none; the last one stays unless it is to be hidden."""
        self._latest.stop()
        if hide:
            self.setVisible(False)

    def close_jobs(self) -> None:
        """Make none any more: this widget may be gone."""
        self._closed = True
        self._latest.stop()

    def _on_result(self, rgb: RGB) -> None:
        if not self._closed:
            self.show_rgb(rgb)
            self._say("")

    def _on_error(self, error: BaseException) -> None:
        if not self._closed:
            self.setVisible(False)
            self._say(sentence(error))
