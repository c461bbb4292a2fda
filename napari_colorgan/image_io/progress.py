"""Which parts of a file are finished, kept in a file beside it for the next process."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np

from napari_colorgan.arrays import Mask
from napari_colorgan.drafts import write_whole
from napari_colorgan.errors import BadImageFile

Cell = tuple[int, int, int]
"""Number of a plane, and of a row and a column of chunks."""

_SUMMED = b"="  # of all cells before this line the pyramid is written, too


class Finished:
    """Cells that are finished, each recorded once it was wholly written.

    A line that a killed process wrote to its half counts for nothing.

    Parameters
    ----------
    path : of the record
    about : what the cells are a part of, as JSON can hold it
    grid : planes, and rows and columns of chunks
    """

    def __init__(
        self, path: Path, about: dict[str, Any], grid: tuple[int, int, int]
    ) -> None:
        self.path = path
        self.about = about
        self.done: Mask = np.zeros(grid, np.bool_)
        self.unsummed: set[Cell] = set()
        """Of these the pyramid is not written yet."""
        self._file: BinaryIO | None = None

    @classmethod
    def begin(
        cls, path: Path, about: dict[str, Any], grid: tuple[int, int, int]
    ) -> Self:
        """Begin a record, in the place of any older one."""
        record = cls(path, about, grid)
        write_whole(path, json.dumps([about, grid]).encode() + b"\n")
        record.go_on()
        return record

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """Read a record to go on with it; None if there is none.

        Raises
        ------
        BadImageFile
            It is damaged.
        """
        try:
            first, *lines = path.read_bytes().split(b"\n")[:-1]  # what ended in a break
            about, grid = json.loads(first)
            record = cls(path, about, tuple(grid))
            for line in lines:
                if line == _SUMMED:
                    record.unsummed.clear()
                else:
                    plane, row, column = map(int, line.split())
                    record._note((plane, row, column))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, IndexError, TypeError) as error:
            raise BadImageFile(
                f"'{path}', which says what is finished, is damaged ({error}). Begin "
                "again with --force."
            ) from error
        return record

    def go_on(self) -> None:
        """Open a record that was read, to add to it; half a line at its end is cut."""
        content = self.path.read_bytes()
        self._file = self.path.open("r+b")
        self._file.truncate(content.rfind(b"\n") + 1)
        self._file.seek(0, os.SEEK_END)

    def add(self, cells: Iterable[Cell]) -> None:
        """Record cells that are on the disk."""
        cells = list(cells)
        self._write(b"\n".join(b"%d %d %d" % cell for cell in cells))
        for cell in cells:
            self._note(cell)

    def add_pyramid(self) -> None:
        """Record that the pyramid is on the disk for all cells so far."""
        if self.unsummed:
            self._write(_SUMMED)
            self.unsummed.clear()

    def close(self) -> None:
        """Stop recording; what is recorded stays."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def delete(self) -> None:
        """Remove the record, for all is done."""
        self.close()
        self.path.unlink(missing_ok=True)

    def _note(self, cell: Cell) -> None:
        self.done[cell] = True
        self.unsummed.add(cell)

    def _write(self, line: bytes) -> None:
        assert self._file is not None, "begin it, or go on with it"
        self._file.write(line + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
