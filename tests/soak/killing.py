"""What is done again and again in a process that is killed."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_colorgan import drafts


@dataclass
class Place:
    """What actions work on."""

    folder: Path
    """Empty at first."""
    made: dict[Any, Any] = field(default_factory=dict)
    """Of what actions remember between each other, in one process."""

    def fault_of_files(self, *names: str) -> str:
        """What of the folder should not be there."""
        drafts.sweep(self.folder)
        strays = {path.name for path in self.folder.iterdir()} - set(names)
        return f"{len(strays)} stray: {sorted(strays)[:3]}" if strays else ""


@dataclass(frozen=True)
class Action:
    """What is done again and again, and what must hold whenever it is ended.

    Attributes
    ----------
    kind : in a word
    do : the n-th time; it may need the times before
    fault : what is wrong afterwards; empty: nothing
    prepare : once, before all
    most : how often it can be done
    """

    kind: str
    do: Callable[[Place, int], object]
    fault: Callable[[Place], str]
    prepare: Callable[[Place], object] = lambda place: None
    most: int = 1 << 30
