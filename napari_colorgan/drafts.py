"""Files and folders in the making: known by their names, and held while they are made.

A process that is killed leaves its drafts behind. They are removed when their folder is
used next: a draft is ours by its name, and nobody's if no process holds it. It is held
by a lock of the operating system, which ends with the process, or on Windows by being
open, for what is open there cannot be removed. Whether a process of another computer
lives cannot be known: drafts of others on a shared drive go after `_PATIENCE`.
"""

import contextlib
import hashlib
import os
import platform
import re
import secrets
import shutil
import stat
import time
from functools import cache
from pathlib import Path
from typing import Final, Self

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_NAME: Final = re.compile(r"\.colorgan-([0-9a-f]{8})-[0-9a-f]{16}\.tmp")
_HELD: Final = "in-use"  # the file in a folder that is held for all of it
_OLD, _NEW = "old", "new"  # folders in one
_PATIENCE: Final = 7 * 24 * 3600  # s
_FORMER: Final = re.compile(r"\.[0-9a-f]{16}\.tmp")
"""What drafts of former versions were called, which nobody held."""
_FORMER_PATIENCE: Final = 24 * 3600  # s
_ATTEMPTS = 9


class Draft:
    """A new empty file that takes the place of another, or is removed.

    Used as a context; `publish` within it.

    Attributes
    ----------
    path : of the draft, beside `target`, with the permissions of any new file

    Raises
    ------
    OSError
        It cannot be made.
    """

    def __init__(self, target: Path) -> None:
        sweep_once(target.parent.absolute())
        self._target = target
        self.path, self._held = _begun(target.parent, is_folder=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def publish(self) -> None:
        """Take the place of the target, in one step."""
        if fcntl is None:  # Windows moves nothing that is open
            self._let_go()
        self.path.replace(self._target)

    def close(self) -> None:
        """Remove the draft, unless it was published."""
        if fcntl is None:
            self._let_go()
        with contextlib.suppress(OSError):
            self.path.unlink()
        self._let_go()

    def _let_go(self) -> None:
        if self._held is not None:
            os.close(self._held)
            self._held = None


class DraftFolder:
    """A new folder for what is in the making, removed with all that is in it.

    Attributes
    ----------
    path : of the folder, which others cannot read

    Raises
    ------
    OSError
        It cannot be made.
    """

    def __init__(self, parent: Path) -> None:
        sweep_once(parent.absolute())
        self.path, self._held = _begun(parent, is_folder=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def swap(self, name: str) -> None:
        """Move what has this name in `new` beside the folder, and what was there away.

        Both steps are made, or after an error none; a process that is killed between
        them is made up for by `sweep`.

        Raises
        ------
        OSError
        """
        target, old, new = (self.path.parent / name, self.old / name, self.new / name)
        target.rename(old)
        try:
            new.rename(target)
        except OSError:
            old.rename(target)
            raise

    @property
    def new(self) -> Path:
        """A folder in it, for what takes the place of others."""
        return self._made(_NEW)

    @property
    def old(self) -> Path:
        """A folder in it, for what loses its place."""
        return self._made(_OLD)

    def close(self) -> None:
        """Remove it, but nothing that has lost its place for nothing."""
        if fcntl is None:  # Windows removes nothing that is open
            self._let_go()
        with contextlib.suppress(OSError):
            _remove_folder(self.path)
        self._let_go()

    def _let_go(self) -> None:
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def _made(self, name: str) -> Path:
        folder = self.path / name
        folder.mkdir(exist_ok=True)
        return folder


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that is not seen before all of it is there.

    Raises
    ------
    OSError
        An older file stays as it was.
    """
    path = path.resolve()  # a link stays one
    if path.exists() and not path.is_file():  # a device or pipe
        path.write_bytes(content)
        return
    with Draft(path) as draft:
        draft.path.write_bytes(content)
        draft.publish()


def remove_folder(path: Path) -> None:
    """Remove a folder with all that is in it: under its name all is there, or nothing.

    Raises
    ------
    OSError
    """
    with DraftFolder(path.parent) as draft:
        path.rename(draft.path / path.name)


@cache
def sweep_once(folder: Path) -> None:
    """Sweep a folder the first time that this process uses it."""
    sweep(folder)


def sweep(folder: Path) -> None:
    """Remove the drafts in a folder that no process holds any more.

    What a killed process has moved away to replace it is put back, or replaced.
    """
    try:
        names = [name for name in os.listdir(folder) if _NAME.fullmatch(name)]
    except OSError:  # there is no such folder, or it cannot be read
        return
    for name in names:
        with contextlib.suppress(OSError):
            _sweep(folder / name)


def sweep_own(folder: Path) -> None:
    """Sweep a folder of this program, in which drafts of former versions go by age."""
    sweep(folder)
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            if _FORMER.fullmatch(name):
                _sweep_former(folder / name)


def _sweep_former(draft: Path) -> None:
    about = draft.lstat()
    if stat.S_ISREG(about.st_mode) and time.time() - about.st_mtime > _FORMER_PATIENCE:
        draft.unlink()


def _begun(parent: Path, *, is_folder: bool) -> tuple[Path, int | None]:
    """Make a draft and hold it; a sweep between the two makes another one necessary."""
    for attempt in range(_ATTEMPTS):
        path = parent / f".colorgan-{_computer()}-{secrets.token_hex(8)}.tmp"
        if is_folder:
            path.mkdir(mode=0o700)
        held = path / _HELD if is_folder else path
        try:
            return path, _hold(held)
        except (FileNotFoundError, BlockingIOError):
            if attempt == _ATTEMPTS - 1 or not parent.is_dir():
                raise
    raise AssertionError


def _hold(path: Path) -> int:
    """Make a file and lock it until it is closed.

    Raises
    ------
    BlockingIOError, FileNotFoundError
        A sweep was quicker.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _BINARY, 0o666)
    try:
        _lock(file)
        if not os.path.samestat(os.fstat(file), path.stat()):
            raise FileNotFoundError(path)
    except OSError:
        os.close(file)
        raise
    return file


def _lock(file: int) -> bool:
    """Lock an open file; whether locks are to be had here.

    Raises
    ------
    BlockingIOError
        Another process holds it.
    """
    if fcntl is None:
        return True  # it is open, which is enough
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:  # some network drives
        return False
    return True


def _sweep(draft: Path) -> None:
    """Remove a draft unless it is held."""
    about = draft.lstat()
    is_folder = stat.S_ISDIR(about.st_mode)
    if not is_folder and not stat.S_ISREG(about.st_mode):
        return
    match = _NAME.fullmatch(draft.name)
    assert match is not None
    held = draft / _HELD if is_folder else draft
    try:
        about = held.lstat()
    except FileNotFoundError:  # killed, or not that far yet, or being removed
        try:
            draft.rmdir()
        except OSError:  # it is not empty
            _remove_folder(draft)
        return
    if not stat.S_ISREG(about.st_mode):
        return
    is_old = time.time() - about.st_mtime > _PATIENCE
    if match[1] != _computer() and not is_old:
        return
    file = os.open(held, os.O_RDWR | _BINARY | _NO_FOLLOW)
    try:
        if not _lock(file) and not is_old:
            return
        if fcntl is not None:
            _remove(draft)
    finally:
        os.close(file)
    if fcntl is None:
        held.unlink()  # fails if it is open elsewhere
        _remove(draft)


def _remove(draft: Path) -> None:
    if draft.is_dir():
        _remove_folder(draft)
    else:
        draft.unlink(missing_ok=True)


def _remove_folder(draft: Path) -> None:
    """Remove a folder; a swap that was begun is finished first, or taken back.

    Raises
    ------
    OSError
        Neither is possible: what was there is still in the folder.
    """
    old = draft / _OLD
    for name in os.listdir(old) if old.is_dir() else ():
        target, new = draft.parent / name, draft / _NEW / name
        if not os.path.lexists(target):  # what is new is complete by then
            (new if new.exists() else old / name).rename(target)
    shutil.rmtree(draft, ignore_errors=True)


@cache
def _computer() -> str:
    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]


_BINARY: Final = getattr(os, "O_BINARY", 0)
_NO_FOLLOW: Final = getattr(os, "O_NOFOLLOW", 0)
