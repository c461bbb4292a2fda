"""A command's jobs in a terminal: progress on stderr, signals as the wish to stop."""

import io
import os
import signal
import sys
from dataclasses import dataclass

import pytest
import typer

from napari_colorgan.cli import _run
from napari_colorgan.cli._run import Run
from napari_colorgan.errors import Stopped
from napari_colorgan.job import STOP, Progress, Waiting


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def open_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    # not as a fixture: pytest sets stderr anew between fixtures and the test
    monkeypatch.setattr(sys, "stderr", Terminal())
    return sys.stderr


@dataclass(frozen=True, slots=True)
class Steps(Progress):
    """What counts."""


@dataclass(frozen=True, slots=True)
class Bytes(Progress):
    """Progress of another kind, in other units."""


def counting(*totals, signals=None):
    """Parts of work, one after the other; a STOP ends them."""
    for total in totals:
        for done in range(1, total + 1):
            if done == 2 and signals is not None:
                os.kill(os.getpid(), signals)
            if (yield Progress(done, total)) is STOP:
                return f"stopped at {done}"
    return "all"


def test_work_that_waits_is_told_once_and_tried_again(monkeypatch, capsys):
    monkeypatch.setattr(_run, "_TRY_AGAIN", 0.0)

    def job():
        for number in (1, 2, 3):
            yield Waiting(4, 9, "'a.state' cannot be written: No space left.", number)
        return "all"

    with Run("Working") as run:
        assert run.finish(job()) == "all"
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("Waiting: 'a.state' cannot be written: No space left. Free")
    assert line.endswith("Ctrl-C ends it.")


def test_ctrl_c_ends_the_waiting():
    def job():
        os.kill(os.getpid(), signal.SIGINT)
        return "stopped" if (yield Waiting(4, 9, "Full.", 1)) is STOP else "all"

    with pytest.raises(typer.Exit) as caught, Run("Working") as run:
        assert run.finish(job()) == "stopped"
        run.exit_if_stopped("it is kept")
    assert caught.value.exit_code == 130


def test_the_bar_shows_label_and_share(monkeypatch):
    terminal = open_terminal(monkeypatch)
    with Run("Working") as run:
        assert run.finish(counting(4)) == "all"
    assert "Working" in terminal.getvalue() and "100%" in terminal.getvalue()


def test_every_part_of_the_work_has_its_bar(monkeypatch):
    terminal = open_terminal(monkeypatch)
    with Run("Working") as run:
        run.finish(counting(4, 3))
    lines = terminal.getvalue().split("\n")
    assert sum("100%" in line for line in lines) == 2


def test_events_of_another_kind_do_not_move_the_bar(monkeypatch):
    terminal = open_terminal(monkeypatch)

    def job():
        yield Bytes(900, 900)
        yield Bytes(1, 900)

    seen = []
    with Run("Working") as run:
        run.finish(job(), seen.append, shown=Steps)
    assert len(seen) == 2 and terminal.getvalue() == ""


def test_nothing_is_drawn_where_nobody_looks(capsys):
    with Run("Working") as run:
        run.finish(counting(4))
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_lines_take_the_place_of_the_bar(monkeypatch, capsys):
    terminal = open_terminal(monkeypatch)
    with Run("Working") as run:
        run.finish(counting(3), lambda event: run.say(f"{event.done} is done"))
    assert capsys.readouterr().out == "1 is done\n2 is done\n3 is done\n"
    # the bar's line is emptied first; before the first event there was none
    assert terminal.getvalue().count("\r\x1b[K") == 2


@pytest.mark.skipif(os.name == "nt", reason="no such signals there")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_the_wish_to_stop(capsys, number):
    before = signal.getsignal(number)
    with pytest.raises(typer.Exit) as end, Run("Working") as run:
        assert run.finish(counting(9, signals=number)) == "stopped at 2"
        run.exit_if_stopped("two are kept")
    assert end.value.exit_code == 128 + number
    assert capsys.readouterr().err == "Stopped: two are kept.\n"
    assert signal.getsignal(number) is before


@pytest.mark.skipif(os.name == "nt", reason="no such signals there")
def test_a_job_with_nothing_to_keep_says_so_itself(capsys):
    def job():
        yield from counting(9, signals=signal.SIGTERM)
        raise Stopped("Stopped while counting; nothing has changed.")

    with pytest.raises(typer.Exit) as end, Run("Working") as run:
        run.finish(job())
    assert end.value.exit_code == 143
    assert capsys.readouterr().err == "Stopped while counting; nothing has changed.\n"


def test_a_command_that_was_not_stopped_goes_on(capsys):
    with Run("Working") as run:
        run.finish(counting(3))
        run.exit_if_stopped("nothing")
    assert capsys.readouterr().err == ""
