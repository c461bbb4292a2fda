"""What is written down beside a checkpoint while it is trained."""

import io
from collections.abc import Sequence
from pathlib import Path

from napari_colorgan.drafts import write_whole
from napari_colorgan.training.validation import Judgement


def log_loss(out: Path, step: int, seconds: float, loss: float) -> None:
    """Add a moving average of the loss to `out`.csv."""
    row = f"{step},{seconds:.0f},{loss:.5f}"
    _append(out.with_suffix(".csv"), "step,seconds,loss", [row])


def log_judgement(out: Path, step: int, seconds: float, judgement: Judgement) -> None:
    """Add scores to `out`.scores.csv, and show the pictures in `out`.jpg."""
    rows = [
        f"{step},{seconds:.0f},{name},{now.psnr - gray.psnr:.3f},"
        f"{now.ciede2000:.3f},{now.colorfulness:.3f}"
        for name, (now, gray) in judgement.folders.items()
    ]
    header = "step,seconds,folder,gain,ciede2000,colorfulness"
    _append(out.with_suffix(".scores.csv"), header, rows)
    content = io.BytesIO()
    judgement.sheet().save(content, "JPEG", quality=88)
    write_whole(out.with_suffix(".jpg"), content.getvalue())


def _append(path: Path, header: str, rows: Sequence[str]) -> None:
    new = not path.exists()
    with path.open("a", encoding="utf-8", errors="backslashreplace") as file:
        file.write("\n".join([header] * new + [*rows, ""]))
