"""The picture of what a run would make, gray to the left and colour to the right."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from napari_colorgan.job import Progress
from napari_colorgan.widgets.colorize.studio import Asked, Judged, Studio, Suggested
from napari_colorgan.widgets.parts.split_picture import SplitPicture
from napari_colorgan.widgets.parts.worker import LatestOnly, sentence, show_failure

if TYPE_CHECKING:  # torch
    from napari_colorgan.inference.live import PiecePainted

SIDE = 320  # px
_HEIGHT = 230  # px


class Preview(SplitPicture):
    """Follows what is chosen; of several requests, the newest wins.

    Parameters
    ----------
    studio : makes it
    on_piece : gets what was painted beside it, the request, and how it is made
    on_suggestions : gets colours for the place of a request
    on_doubt : gets a sentence about the model and the plane, or an empty one
    on_failed : gets why there is none, and the request
    on_done : gets the record of what was painted, and the request
    """

    def __init__(
        self,
        studio: Studio,
        on_piece: Callable[["PiecePainted", Asked, dict[str, Any]], object],
        on_suggestions: Callable[[Suggested, Asked], object],
        on_doubt: Callable[[str], object],
        on_failed: Callable[[str, Asked], object],
        on_done: Callable[[dict[str, Any], Asked], object],
    ) -> None:
        super().__init__(_HEIGHT)
        self._studio = studio
        self._on_piece, self._on_suggestions = on_piece, on_suggestions
        self._on_doubt, self._on_done = on_doubt, on_done
        self._on_failed = on_failed
        self._record: dict[str, Any] = {}
        self._latest = LatestOnly(self._on_result, self._on_error, self._on_event)
        self._asked: Asked | None = None
        self._closed = False
        self.setVisible(False)

    def show_asked(self, asked: Asked, *, supersede: bool) -> None:
        """Colour the displayed plane of a layer.

        Parameters
        ----------
        supersede : whether a preview that is being made is given up
        """
        if not (self.has_picture or self.text):  # an error stays until one succeeds
            self.show_text("Preparing the preview...")

        def make_job() -> Any:
            self._asked = asked
            return self._studio.live_job(asked)

        self._latest.request(make_job, supersede=supersede)

    def stop(self, *, hide: bool = False) -> None:
        """Make none; the last one stays unless it is to be hidden."""
        self._latest.stop()
        if hide:
            self.show_text("")
            self.setVisible(False)

    def close_jobs(self) -> None:
        """Make none any more: this widget may be gone."""
        self._closed = True
        self._latest.stop()

    def _on_event(self, event: Progress) -> None:
        from napari_colorgan.inference.live import PiecePainted, PreviewReady

        if self._closed or self._asked is None:
            return
        match event:
            case PreviewReady():
                self.show_pictures(event.gray, event.rgb)
            case PiecePainted():
                self._on_piece(event, self._asked, self._record)
            case Suggested():
                self._on_suggestions(event, self._asked)
            case Judged():
                self._record = event.record
                self._on_doubt(event.doubt)

    def _on_result(self, record: dict[str, Any]) -> None:
        if not self._closed and self._asked is not None:
            self._on_done(record, self._asked)

    def _on_error(self, error: BaseException) -> None:
        if self._closed:
            return
        said = sentence(error)
        self.show_text(said)
        if self.isHidden():
            show_failure(error)
        if self._asked is not None:
            self._on_failed(said, self._asked)
