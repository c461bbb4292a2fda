"""What a file is that is no model for us, told by its content and not by its name."""

import codecs
import pickle
import re
from collections.abc import Sequence
from pathlib import Path

from napari_colorgan.errors import CheckpointError

HEAD = 4096
"""Bytes from the beginning of a file that tell what it is."""

ZIP = b"PK\x03\x04"
LEGACY = pickle.dumps(0x1950A86A20F9469CFC6C, 2)
"""How files of torch before 1.6, of 2020, begin; unlike ZIP, without a checksum."""
HOW_TO_SAVE = "Save its weights where it was made: torch.save(net.state_dict(), FILE)."

_CHOOSE = (
    "Choose a .safetensors file or a package (.zip) of napari-colorgan, or weights of "
    "the PyTorch pix2pix code, such as 'latest_net_G.pth'."
)
_UNPACK = "Unpack it and choose the file of weights in it."
_LFS = b"version https://git-lfs.github.com/spec/"
_LFS_SIZE = re.compile(rb"^size (\d{1,15})$", re.MULTILINE)
_PAGE = re.compile(rb"\s*<(!doctype html|html|head|body|\?xml|!--)", re.IGNORECASE)
_MARK = b"\xef\xbb\xbf"  # of UTF-8, before a text
_STARTS = (
    (rb"\x1f\x8b|BZh|\xfd7zXZ|7z\xbc\xaf|Rar!|\x28\xb5\x2f\xfd", "an archive", _UNPACK),
    (rb".{257}ustar", "an archive (tar)", _UNPACK),
    (rb"\x89HDF\r\n", "an HDF5 file, such as Keras and TensorFlow write", _CHOOSE),
    (rb"\x93NUMPY", "an array of NumPy", _CHOOSE),
    (
        rb"\xff\xd8\xff|\x89PNG|GIF8|II[*+]\0|MM\0[*+]|RIFF....WEBP",
        "a picture",
        _CHOOSE,
    ),
    (rb"....TFL3", "a model of TensorFlow Lite", _CHOOSE),
    # a protobuf whose first field is a small version, as ONNX writers begin
    (rb"\x08[\x01-\x20][\x12\x1a\x22\x28\x32\x3a\x42\x72]", "an ONNX file", _CHOOSE),
    (rb"\x80[\x02-\x05]", "a Python pickle, which could run any program", HOW_TO_SAVE),
)


def is_model(head: bytes) -> bool:
    """Whether a file begins as one that may be a model."""
    return head.startswith((ZIP, LEGACY)) or head[8:9] == b"{"


def refusal(content: bytes, path: Path) -> CheckpointError:
    """Say what a file is, and what to do; its first `HEAD` bytes are enough."""
    head = content[:HEAD].removeprefix(_MARK)
    if not head:
        return CheckpointError(f"'{path}' is empty. Fetch it again.")
    if head.startswith(_LFS):
        return CheckpointError(
            f"'{path}' is a Git LFS pointer: a few words in the place of "
            f"{_size(head)}. Fetch the file itself: run `git lfs pull` in its "
            "repository, or download it by its page."
        )
    if _PAGE.match(head):
        return CheckpointError(
            f"'{path}' is a web page, not a model: a download that asks to log in or "
            "to confirm saves such a page. Open its address in a browser and save the "
            "file itself."
        )
    if content[8:9] == b"{":
        return CheckpointError(
            f"'{path}' is not a checkpoint of napari-colorgan, or it is damaged. "
            "Choose a .safetensors file that napari-colorgan wrote, or fetch it again."
        )
    for start, what, remedy in _STARTS:
        if re.match(start, head, re.DOTALL):
            return CheckpointError(f"'{path}' is {what}, not a model. {remedy}")
    what = "a text" if _is_text(head) else "damaged or of an unknown kind"
    return CheckpointError(f"'{path}' is {what}, not a model. {_CHOOSE}")


def zip_refusal(names: Sequence[str], path: Path) -> CheckpointError:
    """Say what a ZIP file is, by the names in it, and what to do."""
    ends = {name.rpartition("/")[2] for name in names}
    folders = {part for name in names for part in name.split("/")[:-1]}
    weights = (".pth", ".pt", ".ckpt", ".safetensors", ".zip")
    inside = [name for name in names if name.lower().endswith(weights)]
    if is_package(names):
        what = (
            "is a BioImage.IO package of another program. Its network is a program, "
            "which is never run here: only packages that napari-colorgan wrote can be "
            "imported. Use it with the program that it was made for."
        )
    elif "constants.pkl" in ends and "code" in folders:
        what = f"is TorchScript: a program, which is never run here. {HOW_TO_SAVE}"
    elif ends & {
        "archive_format",
        "serialized_exported_program.json",
        "archive_version",
    }:
        what = (
            "is a program that torch.export wrote (.pt2), which is never run here. "
            f"{HOW_TO_SAVE}"
        )
    elif ends >= {"config.json", "model.weights.h5"}:
        what = f"is a Keras file, not a model of PyTorch. {_CHOOSE}"
    elif ends >= {"state.json", "0.npy"}:
        what = (
            "is the state of a training of napari-colorgan (.state), with which "
            "--resume goes on. Choose the .safetensors file beside it."
        )
    elif names and all(name.endswith(".npy") for name in names):
        what = f"holds arrays of NumPy (.npz), not a model. {_CHOOSE}"
    elif inside:
        what = f"is a ZIP archive. Unpack it and choose {inside[0][:60]!r} in it."
    else:
        some = ", ".join(repr(name[:60]) for name in names[:3])
        what = f"is a ZIP archive without a model in it ({some}). {_CHOOSE}"
    return CheckpointError(f"'{path}' {what}")


def unreadable(path: Path, error: OSError) -> CheckpointError:
    """Return the error of a file that the system does not give."""
    return CheckpointError(
        f"'{path}' cannot be read: {error.strerror}. Check the path and its "
        "permissions."
    )


def declares_too_much(path: Path) -> CheckpointError:
    """Say of a file that it would take more memory than it has bytes."""
    return CheckpointError(
        f"'{path}' declares more than it holds, as no honest file of weights does. "
        "Fetch it again from where it was made."
    )


def is_package(names: Sequence[str]) -> bool:
    """Whether a ZIP file with these names is a BioImage.IO package."""
    place = re.compile(r"([^/]+/)?(.+\.)?(rdf|bioimageio|model)\.ya?ml")
    return any(place.fullmatch(name) for name in names)


def _size(head: bytes) -> str:
    match = _LFS_SIZE.search(head)
    return f"a file of {int(match[1]):,} bytes" if match else "a large file"


def _is_text(head: bytes) -> bool:
    """Whether this is UTF-8; its last letter may be cut."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return all(letter.isprintable() or letter.isspace() for letter in text)
