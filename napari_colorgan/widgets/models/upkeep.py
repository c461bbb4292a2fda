"""The user's own models are renamed, duplicated, deleted, and brought back."""

from collections.abc import Callable
from typing import TypeVar

from napari_colorgan.checkpoints import zoo
from napari_colorgan.checkpoints.changes import duplicate, rename
from napari_colorgan.checkpoints.deleted import (
    KEPT_DAYS,
    Deleted,
    delete,
    deleted_models,
    restore,
)
from napari_colorgan.job import Job, Progress
from napari_colorgan.widgets.models.model_list import megabytes
from napari_colorgan.widgets.models.questions import NameQuestion
from napari_colorgan.widgets.models.work import ModelWork
from napari_colorgan.widgets.parts.notices import ask

R = TypeVar("R")


class ModelUpkeep:
    """What asks for names and agreement, and changes the folder of models."""

    def __init__(self, work: ModelWork) -> None:
        self._work = work
        self._deleted: Deleted | None = None

    def last_deleted(self) -> Deleted | None:
        """Look for the model that undo brings back."""
        self._deleted = next(iter(deleted_models()), None)
        return self._deleted

    def rename(self, model: zoo.Model) -> None:
        """Ask for another name of a model, and give it."""
        old = model.name
        question = NameQuestion(self._work, f"Rename {old}", old, old=old)

        def on_accepted() -> None:
            name = question.name.value
            self._work.make("Renaming...", change_job(lambda: rename(old, name)), old)

        self._work.ask(question, on_accepted)

    def duplicate(self, model: zoo.Model) -> None:
        """Ask for the name of a copy, and make it."""
        old = model.name
        question = NameQuestion(
            self._work, f"Duplicate {old}", zoo.free_name(f"{old} copy")
        )

        def on_accepted() -> None:
            name = question.name.value
            self._work.make("Copying...", change_job(lambda: duplicate(old, name)))

        self._work.ask(question, on_accepted)

    def delete(self, model: zoo.Model) -> None:
        """Delete a model if the user agrees."""
        if not self.ask(
            f"Delete '{model.name}' ({megabytes(model.size)})? It can be brought back "
            f"for {KEPT_DAYS} days."
        ):
            return
        self._work.run(
            "Deleting...",
            change_job(lambda: delete(model.name)),
            lambda gone: self._work.tell(gone.name, ""),
        )

    def undo(self) -> None:
        """Bring back what was deleted last."""
        if (gone := self._deleted) is not None:
            job = change_job(lambda: restore(gone))
            self._work.make("Bringing it back...", job)

    def ask(self, question: str) -> bool:
        """Ask the user; whether the answer is yes."""
        return ask(self._work, "Model manager", question)


def change_job(change: Callable[[], R]) -> Job[R]:
    """Change the folder of models, which takes a moment and cannot be stopped."""
    yield Progress(0, 0)
    return change()
