"""Jobs report, pause, stop early with what they have, and fail in plain words."""

import gc
import threading
import time

import pytest
import torch

from napari_colorgan.errors import ColorganError, JobFailed, OutOfMemory
from napari_colorgan.job import (
    STOP,
    Control,
    Progress,
    Waiting,
    drive,
    explain,
    finish,
    is_out_of_memory,
)


def count_job(total, log=None):
    """Yield `total` events; return how many were done, noting the end in `log`."""
    try:
        for done in range(1, total + 1):
            if (yield Progress(done, total)) is STOP:
                return done
        return total
    finally:
        if log is not None:
            log.append("closed")


def failing_job(error):
    yield Progress(0, 1)
    raise error


def test_a_job_reports_and_returns_its_result():
    events = []
    assert finish(count_job(3), events.append) == 3
    assert events == [Progress(1, 3), Progress(2, 3), Progress(3, 3)]


def test_a_job_without_events_returns_at_once():
    assert finish(count_job(0)) == 0


def test_stop_keeps_what_is_done():
    control = Control()

    def stop_at_two(event):
        if event.done == 2:
            control.request_stop()

    assert finish(count_job(100), stop_at_two, control) == 2


def test_stop_before_the_start_still_gives_a_result():
    control = Control()
    control.request_stop()
    assert finish(count_job(100), control=control) == 1


def test_an_outer_job_hears_a_stop_after_its_inner_one_has_ended():
    def outer():
        answers = []
        inner = yield from count_job(5)
        answers.append((yield Progress(0, 2)))
        answers.append((yield Progress(1, 2)))
        return inner, answers

    control = Control()
    control.request_stop()
    assert finish(outer(), control=control) == (1, [STOP, STOP])


def test_without_a_stop_a_job_is_sent_nothing():
    def job():
        return [(yield Progress(0, 1)), (yield Progress(1, 1))]

    assert finish(job()) == [None, None]


def run_in_thread(control, total=1000):
    events, results = [], []

    def run():
        results.append(finish(count_job(total), lambda e: seen(e), control))

    def seen(event):
        events.append(event)
        time.sleep(0.001)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, events, results


def wait_for(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


def test_a_paused_job_waits_and_goes_on():
    control = Control()
    thread, events, results = run_in_thread(control, total=60)
    wait_for(lambda: len(events) > 3)
    control.request_pause()
    assert control.pause
    time.sleep(0.05)  # it may be in the middle of one event
    seen = len(events)
    time.sleep(0.1)
    assert len(events) == seen < 60
    control.resume()
    thread.join(20)
    assert results == [60]
    assert not control.pause


def test_a_paused_job_can_be_stopped():
    control = Control()
    thread, events, results = run_in_thread(control)
    wait_for(lambda: len(events) > 3)
    control.request_pause()
    time.sleep(0.05)
    control.request_stop()
    thread.join(20)
    assert not thread.is_alive()
    assert 3 < results[0] < 1000


def test_a_stopping_job_cannot_be_paused():
    control = Control()
    control.request_stop()
    control.request_pause()
    assert control.stop
    assert not control.pause
    control.wait_while_paused()


def test_a_pause_that_races_with_a_stop_never_hangs():
    # the worst moment for a stop: inside `request_pause`, before the pause is set
    control = Control()
    event = control._go_on

    class Racing:
        def __getattr__(self, name):
            return getattr(event, name)

        def clear(self):
            Control.request_stop(control)
            event.clear()

    control._go_on = Racing()
    control.request_pause()
    assert control.stop
    assert not control.pause


@pytest.mark.parametrize("error", [RuntimeError("mat1 and mat2"), RecursionError("x")])
def test_errors_of_torch_become_a_failed_job(error):
    with pytest.raises(JobFailed, match="computation failed") as caught:
        finish(failing_job(error))
    assert caught.value.__cause__ is error
    assert not isinstance(caught.value, RuntimeError)  # napari would swallow it


@pytest.mark.parametrize("error", [MemoryError(), torch.OutOfMemoryError("CUDA")])
def test_running_out_of_memory_says_so(error):
    if isinstance(error, torch.OutOfMemoryError):
        error.args = ("CUDA out of memory. Tried to allocate 2.00 GiB.",)
    with pytest.raises(OutOfMemory, match=r"Memory ran out\. .*smaller tile"):
        finish(failing_job(error))


def test_torch_running_out_of_memory_is_recognised():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "CUDA out of memory. Tried to allocate 20.00 MiB",
        "MPS backend out of memory (MPS allocated: 8 GB)",
        "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried",
        "[enforce fail] DefaultCPUAllocator: not enough memory: you tried",  # Windows
        "std::bad_alloc",
    ],
)
def test_memory_errors_of_all_platforms_are_recognised(text):
    assert is_out_of_memory(RuntimeError(text))
    assert isinstance(explain(RuntimeError(text)), OutOfMemory)
    assert not is_out_of_memory(ValueError(text))


def test_other_errors_are_not_taken_for_memory():
    assert not is_out_of_memory(RuntimeError("size mismatch, allocate 3"))


def test_only_the_first_line_of_a_long_error_is_shown():
    text = str(explain(RuntimeError("Expected 3 channels.\nat file.cpp:12\nat main")))
    assert "Expected 3 channels. Try" in text
    assert "main" not in text


def test_our_own_errors_pass_unchanged():
    error = ColorganError("A plain sentence.")
    with pytest.raises(ColorganError) as caught:
        finish(failing_job(error))
    assert caught.value is error


def test_an_abandoned_job_is_closed():
    log = []
    driven = drive(count_job(9, log), Control())
    next(driven)
    driven.close()
    assert log == ["closed"]


def test_an_abandoned_job_is_closed_without_a_word_when_collected():
    log = []
    driven = drive(count_job(9, log), Control())
    next(driven)
    del driven
    gc.collect()
    assert log == ["closed"]


def test_a_job_is_closed_when_its_listener_fails():
    log = []

    def fail(event):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        finish(count_job(9, log), fail)
    assert log == ["closed"]  # at once: `caught` keeps everything else alive
    del caught


def test_a_finished_job_is_closed():
    log = []
    finish(count_job(2, log))
    assert log == ["closed"]


def patient_job(needed, tries):
    """Try until it was tried so often; say at the end how it ended."""
    for number in range(1, needed):
        tries.append(number)
        if (yield Waiting(0, 1, "The disk is full.", number)) is STOP:
            return "stopped"
    return "done"


def test_a_job_that_waits_is_paused_until_it_is_resumed():
    control, tries = Control(), []
    driven = drive(patient_job(3, tries), control)
    for number in (1, 2):
        assert next(driven).tries == number and control.pause
        assert tries[-1] == number
        control.resume()
    with pytest.raises(StopIteration, match="done"):
        next(driven)


def test_a_stop_ends_the_waiting():
    control = Control()
    ended = finish(patient_job(9, []), lambda _: control.request_stop(), control)
    assert ended == "stopped"


def test_a_job_that_waits_is_stopped_where_nobody_can_resume_it():
    tries = []
    assert finish(patient_job(9, tries)) == "stopped"
    assert tries == [1]


def test_stop_has_a_readable_name():
    assert repr(STOP) == "STOP"


@pytest.mark.parametrize("name", ["BadSetting", "OutOfMemory", "JobFailed", "Stopped"])
def test_errors_never_derive_from_runtime_error(name):
    import napari_colorgan.errors as errors

    assert issubclass(getattr(errors, name), ColorganError)
    assert not issubclass(getattr(errors, name), RuntimeError)
