"""The buttons that run and stop a colouring, and what they show of it."""

from collections.abc import Callable, Sequence
from typing import Any

from magicgui.widgets import Container, Label, ProgressBar, PushButton, Widget
from napari.layers import Image

from napari_colorgan.job import Job, Progress, duration
from napari_colorgan.widgets.colorize.results import Results
from napari_colorgan.widgets.colorize.run import LayerRun, Wish, color_layers_job
from napari_colorgan.widgets.parts.layers import LayerSource
from napari_colorgan.widgets.parts.layout import explain, line_up, say, wrap
from napari_colorgan.widgets.parts.notices import once, show_info
from napari_colorgan.widgets.parts.worker import DockJobs, Slot, sentence, show_failure


class RunPanel(Container[Widget]):
    """One colouring at a time.

    Parameters
    ----------
    beside : buttons that stand beside these
    on_change : called when one begins, ends, or is asked to end
    """

    def __init__(
        self,
        viewer: Any,
        results: Results,
        beside: Sequence[PushButton],
        on_change: Callable[[], object],
    ) -> None:
        self._viewer = viewer
        self._results = results
        self.done = False
        """Whether the latest run gave all layers their colours."""
        self.jobs = DockJobs(on_change)
        self._run: LayerRun | None = None
        self._error = ""
        """What went wrong with what runs."""
        self._stopped = False
        """Whether what runs was asked to end."""
        self._lost = ""
        """Without what it could not go on; empty if the user asked."""
        self.start = PushButton(text="&Colorize")
        self.start.native.setDefault(True)
        self.stop = PushButton(
            text="&Stop", visible=False, tooltip="End early and keep what is coloured"
        )
        self.progress = ProgressBar(value=0, max=1, visible=False)
        self.reason = wrap(Label(value="", visible=False))
        self.status = wrap(Label(value="", visible=False))
        buttons = line_up(self.start, self.stop, *beside)
        parts = [buttons, self.reason, self.progress, self.status]
        super().__init__(widgets=parts, labels=False)
        self.margins = (0, 0, 0, 0)
        self.stop.changed.connect(lambda: self.end_early("stopped by the user"))

    def run(
        self,
        layers: Sequence[Image],
        sources: Sequence[LayerSource],
        wish: Wish,
    ) -> None:
        """Colour layers, of which `sources` were read."""
        self._begin("Loading the model...")
        self.done = False
        self._run = LayerRun(
            self._viewer, layers, sources, self._results, self._on_lost
        )
        self.jobs.run(
            color_layers_job(sources, wish, self._run.canvases),
            lambda _: None,  # the end says it all
            title=f"Colorize: {', '.join(repr(each.name) for each in sources)}",
            kept="What is coloured is kept.",
            on_event=self._on_event,
            on_error=self._on_error,
            on_end=self._on_end,
            even_closed=True,  # the result's record is kept until the end
        )

    def run_other(
        self, job: Job[Any], on_result: Slot, *, title: str, doing: str
    ) -> None:
        """Run what no colouring may disturb; nothing is done with what was stopped.

        Parameters
        ----------
        doing : what the dock says meanwhile
        """

        def take(made: Any) -> None:
            if not self.jobs.stopping:
                on_result(made)

        self._begin(doing)
        self.jobs.run(
            job,
            take,
            title=title,
            on_event=self._show_progress,
            on_error=self._on_error,
            on_end=self._on_end,
        )

    def fail(self, error: BaseException) -> None:
        """Say why nothing was begun."""
        self.tell(sentence(error))
        show_failure(error)

    def tell(self, text: str) -> None:
        """Say something else than how the latest run has ended, unless one goes on."""
        if not self.jobs.busy and not self.jobs.closed:
            self._error = ""
            say(self.status, text)

    @property
    def failed(self) -> bool:
        """Whether the status says what went wrong with the latest run."""
        return bool(self._error)

    def end_early(self, why: str) -> None:
        """Stop; the record of the result will say why."""
        self._stopped = True
        if self._run is not None:
            self._run.end_early(why)
        if self.jobs.stop():
            say(self.status, "Stopping...")

    def close_jobs(self) -> None:
        """Stop; from now on nothing may touch this widget."""
        if self._run is not None:
            self._run.end_early("the dock was closed")
        self.jobs.close()

    def forget(self, layer: Image) -> None:
        """Hear that a layer was removed."""
        if self._run is not None and self._run.uses(layer):
            self._on_lost(f"the layer '{layer.name}' was removed")

    def offer(self, missing: str) -> None:
        """Enable what can work, and say what is missing; empty if nothing is."""
        busy = self.jobs.busy
        reason = "A run is in progress." if busy else missing
        self.start.enabled = not reason
        self.start.visible = not busy
        self.stop.visible = busy
        explain(self.start, reason or "Colour the chosen layers into new layers")
        self.stop.enabled = busy
        say(self.reason, "" if busy else reason)
        if missing and not busy and self.done:
            say(self.status, "")  # it was of layers that are gone

    def _begin(self, doing: str) -> None:
        self._error, self._lost, self._stopped = "", "", False
        say(self.status, doing)

    def _on_event(self, event: Progress) -> None:
        if self._run is None:
            return
        if self.jobs.closed:
            self._run.note(event)
            return
        self._run.on_event(event)
        if self._stopped:
            return  # as is said
        self._show_progress(event)
        say(self.status, self._run.describe(event))

    def _show_progress(self, event: Progress) -> None:
        self.progress.visible = True
        self.progress.max = max(1, event.total)
        self.progress.value = event.done

    def _on_error(self, error: BaseException) -> None:
        self._error = sentence(error)
        if not self.jobs.closed:
            show_failure(error)

    def _on_end(self) -> None:
        """Write what became of it, into the result's record and here; nobody else does.

        Whether it was done, was stopped, failed, or lost its layer, dock or viewer.
        """
        run, self._run = self._run, None
        if run is not None:
            run.conclude(self._error or "stopped")
        if not self.jobs.closed:
            self.done = run.complete and not self._error if run else self.done
            self.progress.visible = False
            say(self.status, self._error or self._ending(run))
        if run is not None:
            run.close()

    def _ending(self, run: LayerRun | None) -> str:
        """Say how what did not fail has ended."""
        if run is None:
            return "Stopped." if self._stopped else ""
        if not run.complete and self._lost:
            return f"Stopped: {self._lost}."
        if not run.complete:
            return "Stopped; what was coloured is kept."
        note = once(run.device_note)
        seconds = run.seconds
        took = f"{seconds:.1f} s" if seconds < 10 else duration(seconds)
        return f"Done in {took}. {note}".strip()

    def _on_lost(self, what: str) -> None:
        show_info(f"Colouring a layer has stopped: {what}.")
        self._lost = what
        self.end_early(what)
