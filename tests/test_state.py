"""A state comes back from disk as it was; an older file is never harmed."""

import errno
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_colorgan.errors import CheckpointError
from napari_colorgan.job import STOP, Control, finish
from napari_colorgan.training import array_file
from napari_colorgan.training import state as module
from napari_colorgan.training.state import (
    Saving,
    read_plain,
    read_state,
    write_state_job,
)

NESTED = {
    "numbers": {0: 1.5, 7: -3, "x": None, "yes": True},
    "list": [1, [2.5, {"a": 'text with "quotes" and ü'}], []],
    "dict": {},
    "tensor": {"tensor": 3},  # names that the format uses itself
    "infinite": [float("inf"), float("-inf")],
    "big": 2**62 + 1,
    "exact": 0.1 + 0.2,
}


def write(path, state):
    finish(write_state_job(path, state))


@pytest.fixture
def old(tmp_path):
    """A file that holds an older state."""
    write(tmp_path / "a.state", {"step": 1, "weights": torch.arange(5.0)})
    return tmp_path / "a.state"


def test_numbers_and_texts_come_back(tmp_path):
    write(tmp_path / "a.state", NESTED)
    found = read_state(tmp_path / "a.state")
    assert found == NESTED
    assert list(found["numbers"]) == [0, 7, "x", "yes"]
    assert found["numbers"]["yes"] is True


@pytest.mark.parametrize(
    "dtype",
    [
        torch.float32,
        torch.float64,
        torch.float16,
        torch.int64,
        torch.uint8,
        torch.bool,
    ],
)
@pytest.mark.parametrize("shape", [(), (1,), (0, 3), (2, 3, 4)])
def test_tensors_come_back_to_the_bit(tmp_path, dtype, shape):
    random = torch.Generator().manual_seed(1)
    tensor = (torch.rand(shape, generator=random) * 9).to(dtype)
    write(tmp_path / "a.state", {"a": [tensor], 3: {"b": tensor.clone()}})
    found = read_state(tmp_path / "a.state")
    for one in (found["a"][0], found[3]["b"]):
        assert one.dtype == dtype
        assert one.shape == shape
        assert torch.equal(one, tensor)
    found["a"][0].zero_()  # one's own: it can be changed, alone
    assert torch.equal(found[3]["b"], tensor)


def test_tensors_of_any_layout_come_back(tmp_path):
    tensor = torch.rand(2, 3, 4, 5)
    layouts = {
        "transposed": tensor.permute(3, 1, 0, 2),
        "part": tensor[:, 1:, ::2],
        "channels last": tensor.contiguous(memory_format=torch.channels_last),
        "learned": torch.nn.Parameter(tensor),
    }
    write(tmp_path / "a.state", layouts)
    found = read_state(tmp_path / "a.state")
    for name, expected in layouts.items():
        assert torch.equal(found[name], expected)
        assert not found[name].requires_grad


def test_numbers_that_are_none_come_back(tmp_path):
    write(tmp_path / "a.state", {"a": float("nan"), "b": torch.tensor([torch.nan])})
    found = read_state(tmp_path / "a.state")
    assert found["a"] != found["a"]
    assert found["b"].isnan().all()


def test_an_optimizer_comes_back(tmp_path):
    layer = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(layer.parameters())
    layer(torch.rand(4, 3)).sum().backward()
    optimizer.step()
    write(tmp_path / "a.state", optimizer.state_dict())
    again = torch.optim.AdamW(layer.parameters())
    again.load_state_dict(read_state(tmp_path / "a.state"))
    for number, state in optimizer.state_dict()["state"].items():
        for name, value in state.items():
            assert torch.equal(again.state_dict()["state"][number][name], value)


def test_nothing_in_it_can_run_code(tmp_path):
    write(tmp_path / "a.state", NESTED | {"weights": torch.rand(3)})
    with zipfile.ZipFile(tmp_path / "a.state") as archive:
        assert archive.testzip() is None
        for name in archive.namelist():
            assert name == "state.json" or name.endswith(".npy")
            content = archive.read(name)
            if name.endswith(".npy"):
                assert b"'|O'" not in content
            with pytest.raises(
                (pickle.UnpicklingError, KeyError, EOFError, ValueError)
            ):
                pickle.loads(content)


def test_arrays_of_objects_are_not_read(tmp_path):
    class Evil:
        def __reduce__(self):
            return (pytest.fail, ("code of a file was run",))

    with zipfile.ZipFile(tmp_path / "a.state", "w") as archive:
        archive.writestr("state.json", '{"dict": [["a", {"tensor": 0}]]}')
        with archive.open("0.npy", "w") as entry:
            array = np.empty(1, object)
            array[0] = Evil()
            np.lib.format.write_array(entry, array, allow_pickle=True)
    with pytest.raises(CheckpointError, match="damaged"):
        read_state(tmp_path / "a.state")


# -- files that cannot be read


def zip_of(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"no state"),
        lambda path: path.write_bytes(path.read_bytes()[:-200]),
        lambda path: path.write_bytes(path.read_bytes()[:60]),
        lambda path: torch.save({"run": 1}, path),
        lambda path: zip_of(path, {}),
        lambda path: zip_of(path, {"state.json": "{"}),
        lambda path: zip_of(path, {"state.json": '{"tensor": 0}'}),
        lambda path: zip_of(path, {"state.json": '{"tensor": 0}', "0.npy": "1"}),
        lambda path: zip_of(path, {"state.json": '{"dict": 3}'}),
        lambda path: zip_of(path, {"state.json": '{"dict": [[[], 3]]}'}),
        lambda path: zip_of(path, {"state.json": "[]"}),
        lambda path: zip_of(path, {"state.json": "3"}),
        lambda path: zip_of(path, {"state.json": "null"}),
    ],
)
def test_damaged_and_foreign_files_are_refused_in_a_sentence(old, damage):
    damage(old)
    with pytest.raises(CheckpointError, match=r"a\.state': it is damaged\. Start anew"):
        read_state(old)


def test_a_bit_that_flipped_is_noticed(old):
    content = bytearray(old.read_bytes())
    place = content.index(np.arange(5.0, dtype=np.float32).tobytes()) + 6
    content[place] ^= 1
    old.write_bytes(content)
    with pytest.raises(CheckpointError, match="damaged"):
        read_state(old)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"a\.state': No such file"):
        read_state(tmp_path / "a.state")
    with pytest.raises(CheckpointError, match=r"Is a directory|Permission denied"):
        read_state(tmp_path)


# -- writing


def same_as_before(old):
    found = read_state(old)
    return found["step"] == 1 and torch.equal(found["weights"], torch.arange(5.0))


def test_a_full_disk_leaves_the_older_file(old, monkeypatch):
    calls = []

    def write_array(entry, array, **options):
        calls.append(array)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return original(entry, array, **options)

    original = np.lib.format.write_array
    monkeypatch.setattr(module.np.lib.format, "write_array", write_array)
    with pytest.raises(
        CheckpointError, match=r"a\.state' cannot be written: No space left.*free some"
    ):
        write(old, {"a": torch.rand(9), "b": torch.rand(9)})
    assert len(calls) == 2
    monkeypatch.undo()
    assert same_as_before(old)
    assert list(old.parent.iterdir()) == [old]


def test_a_file_that_cannot_be_replaced_stays(old, monkeypatch):
    def replace(self, target):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(CheckpointError, match="Permission denied"):
        write(old, {"a": torch.rand(9)})
    assert same_as_before(old)
    assert list(old.parent.iterdir()) == [old]


def test_a_folder_that_is_not_there_is_reported(tmp_path):
    with pytest.raises(CheckpointError, match=r"cannot be written: No such file"):
        write(tmp_path / "absent" / "a.state", {"a": 1})


def test_a_job_that_is_closed_leaves_the_older_file(old, monkeypatch):
    monkeypatch.setattr(module, "_AT_ONCE", 100)
    job = write_state_job(old, {"a": torch.rand(99), "b": torch.rand(99)})
    assert isinstance(next(job), Saving)
    assert len(list(old.parent.iterdir())) == 2
    job.close()
    assert same_as_before(old)
    assert list(old.parent.iterdir()) == [old]


def test_a_wish_to_stop_does_not_lose_the_file(old, monkeypatch):
    monkeypatch.setattr(module, "_AT_ONCE", 100)
    control = Control()
    control.request_stop()
    state = {str(n): torch.full((99,), float(n)) for n in range(5)}
    finish(write_state_job(old, state), control=control)
    assert read_state(old)["4"].eq(4).all()


def test_progress_counts_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_AT_ONCE", 1000)
    events = []
    state = {str(n): torch.zeros(200) for n in range(5)}  # 800 bytes each
    finish(write_state_job(tmp_path / "a.state", state), events.append)
    assert [e.done for e in events] == [1600, 3200, 4000]
    assert {e.total for e in events} == {4000}
    job = write_state_job(tmp_path / "a.state", state)
    next(job)
    with pytest.raises(StopIteration):
        while True:
            job.send(STOP)


# -- what a bit can do, and how large a file may say it is


def bits_flipped(content, place):
    """Copies of a file with one bit changed."""
    for bit in range(8):
        yield (
            content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :]
        )


def test_a_bit_in_the_header_of_an_array_is_noticed(old):
    content = old.read_bytes()
    first = content.index(b"\x93NUMPY")
    for place in range(first + 6, first + 80, 3):  # the version, its length, the shape
        for flipped in bits_flipped(content, place):
            old.write_bytes(flipped)
            with pytest.raises(CheckpointError, match="damaged"):
                read_state(old)


def test_a_file_that_is_compressed_is_not_unpacked(tmp_path):
    path = tmp_path / "a.state"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("state.json", '{"dict": [["a", {"tensor": 0}]]}')
        with archive.open("0.npy", "w") as entry:
            np.lib.format.write_array(entry, np.zeros(1 << 22, np.uint8))
    assert path.stat().st_size < 1 << 14
    with pytest.raises(CheckpointError, match="damaged"):
        read_state(path)


def test_an_array_is_read_once_however_often_it_is_named(tmp_path):
    write(tmp_path / "a.state", {"a": torch.rand(3)})
    with zipfile.ZipFile(tmp_path / "a.state") as archive:
        array = archive.read("0.npy")
    for index in ('[["a", [{"tensor": 0}, {"tensor": 0}]]]', "[]"):
        text = f'{{"dict": {index}}}'
        zip_of(tmp_path / "a.state", {"state.json": text, "0.npy": array})
        with pytest.raises(CheckpointError, match="damaged"):
            read_state(tmp_path / "a.state")


def test_a_state_larger_than_the_training_is_refused_before_it_is_read(
    old, monkeypatch
):
    monkeypatch.setattr(array_file.ArrayFile, "array", pytest.fail)
    with pytest.raises(CheckpointError, match=r"has 0 MB, .* at most 0 MB\. Start"):
        read_state(old, most=100)


def test_all_of_a_state_is_checked_before_its_tensors_are_needed(old):
    assert read_plain(old) == {"step": 1, "weights": None}
    content = bytearray(old.read_bytes())
    content[content.index(np.arange(5.0, dtype=np.float32).tobytes()) + 6] ^= 1
    old.write_bytes(content)
    with pytest.raises(CheckpointError, match="damaged"):
        read_plain(old)


@pytest.mark.skipif(os.name == "nt", reason="no such files there")
def test_what_is_no_regular_file_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "a.state")
    with pytest.raises(CheckpointError, match="damaged"):
        read_state(tmp_path / "a.state")
