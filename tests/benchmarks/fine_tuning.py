"""How fast and how well pairs are learned; beside the classic pix2pix recipe.

pip install matplotlib
python tests/benchmarks/fine_tuning.py FOLDER OUT [PART ...] [--minutes 5]

FOLDER holds at least 22 colour pictures of one kind, of 256 px or more. The first four
by number are the pairs (ten for `translation`). Two sets of twelve others are only
judged by: every sixth for curves, and twelve spread evenly for all the rest. OUT gets
results.json and curves.png; parts that are in results.json are kept, not run again.
Parts: pretrained, stopped, natural, untrained, paper, reference, minute, palette,
single, translation, speed, plot, reached; default all. Run it on an idle machine.

Which model is the better start, also on a busy machine:

python tests/benchmarks/fine_tuning.py FOLDER OUT pretrained natural reached --steps 600
"""

import argparse
import json
import math
import re
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from reference_recipe import Reference
from scipy.ndimage import gaussian_filter
from skimage.io import imread

from napari_colorgan.checkpoints import zoo
from napari_colorgan.checkpoints.metadata import Metadata
from napari_colorgan.checkpoints.store import Checkpoint, load
from napari_colorgan.color import LabCodec
from napari_colorgan.inference.colorizer import Colorizer
from napari_colorgan.inference.palettes import Palette
from napari_colorgan.job import Control, Progress, finish
from napari_colorgan.metrics import Figures, psnr
from napari_colorgan.training.events import Planned
from napari_colorgan.training.fine_tune import fine_tune_job
from napari_colorgan.training.networks import (
    base_of,
    make_discriminator,
    make_generator,
)
from napari_colorgan.training.pairs import Pair, pairs_of
from napari_colorgan.training.patch_sampler import PatchSampler
from napari_colorgan.training.scoring import color_pair, score
from napari_colorgan.training.settings import FineTuneConfig
from napari_colorgan.training.trainer import Trainer

START = "micro"
CPU = torch.device("cpu")
SQUARE = 256  # px, of what a palette is taken from
MARKS = (5, 10, 20, 30, 46, 60, 77, 120, 180, 240, 300)  # s
CURVES = {
    "pretrained": "this package, from `micro`",
    "natural": "this package, from `natural`",
    "untrained": "this package, from fresh weights",
    "paper": "this package, recipe `paper`",
    "reference": "pix2pix, plain loop",
}
STARTS = ("pretrained", "natural", "untrained")


def pictures(folder: Path, count: int = 4) -> tuple[list[Pair], list[Pair], list[Pair]]:
    """Pairs to learn from, and two sets of twelve others to judge by."""

    def number(path: Path) -> tuple[int, str]:
        found = re.findall(r"\d+", path.stem)
        return (int(found[-1]) if found else 0, path.name)

    suffixes = (".png", ".webp", ".jpg", ".tif")
    paths = sorted((p for p in folder.iterdir() if p.suffix in suffixes), key=number)
    rest = paths[count:]
    sixth = rest[::6][:12]
    spread = [rest[round(i * (len(rest) - 1) / 11)] for i in range(12)]
    return tuple(
        [pair for p in part for pair in pairs_of(imread(p)[..., :3], name=p.name)]
        for part in (paths[:count], sixth, spread)
    )


def quick(checkpoint: Checkpoint, judged: list[Pair]) -> dict[str, float]:
    """PSNR alone, for curves."""
    colorizer = Colorizer(checkpoint, CPU)
    return {
        "psnr": statistics.fmean(
            psnr(color_pair(p, colorizer), p.color) for p in judged
        )
    }


def judge(checkpoint: Checkpoint, judged: list[Pair]) -> dict[str, float]:
    colorizer = Colorizer(checkpoint, CPU)
    scored = [score(pair, colorizer) for pair in judged]
    now = Figures.mean([one.figures for one in scored])
    gray = Figures.mean([one.gray for one in scored])
    return {
        "psnr": now.psnr,
        "gray": gray.psnr,
        "gain": now.psnr - gray.psnr,
        "ssim": now.ssim,
        "ciede2000": now.ciede2000,
        "colorfulness": now.colorfulness,
    }


def curve(
    pairs: list[Pair],
    judged: list[Pair],
    others: list[Pair],
    start: str,
    config: FineTuneConfig,
) -> dict:
    """Scores of what a user has at each time: the best checkpoint on disk."""
    kept: list[tuple[float, Checkpoint]] = []
    plan: dict = {}
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "model.safetensors"
        seen = 0
        began = time.perf_counter()

        def look(event: Progress) -> None:
            nonlocal seen
            if isinstance(event, Planned):
                plan.update(steps=event.total, precision=event.precision)
            if out.exists() and (stamp := out.stat().st_mtime_ns) != seen:
                seen = stamp
                kept.append((time.perf_counter() - began, load(out)))

        made = finish(fine_tune_job(pairs, start, config, out=out), look)
        kept.append((time.perf_counter() - began, made.best))
    points = [
        {"seconds": t, "step": checkpoint.metadata.training["steps_done"]}
        | quick(checkpoint, judged)
        for (t, checkpoint), (after, _) in pairwise([*kept, (math.inf, None)])
        if t < 60 or after - t > 5 or after == math.inf
    ]
    if start != "scratch" and config.scheme == "fine-tune":
        before = quick(zoo.open_model(start), judged)
        points.insert(0, {"seconds": 0.0, "step": 0} | before)
    return {
        "plan": plan,
        "ended": made.ended,
        "points": points,
        "final": judge(made.best, judged),
        "final, other twelve": judge(made.best, others),
    }


def with_palettes(
    pairs: list[Pair], judged: list[Pair], others: list[Pair], config: FineTuneConfig
) -> dict:
    """What the palette of a square at the left of each picture is worth on the rest."""
    made = finish(fine_tune_job(pairs, START, config)).best
    colorizer, result = Colorizer(made, CPU), {}
    for name, part in (("twelve", judged), ("other twelve", others)):
        left, rest = [], []
        for pair in part:
            middle = min(SQUARE, pair.shape[1] // 2)
            left.append(pair.color[:SQUARE, :middle])
            gray, color = pair.gray[:, middle:], pair.color[:, middle:]
            rest.append(replace(pair, gray=gray, color=color))
        told = [
            colorizer.asked_for(palette=Palette.of(square, strength=1.0))
            for square in left
        ]
        for help_, colorizers in (("alone", [colorizer] * len(rest)), ("told", told)):
            found = [
                psnr(color_pair(pair, each), pair.color)
                for pair, each in zip(rest, colorizers, strict=True)
            ]
            result[f"{name}, {help_}"] = statistics.fmean(found)
    return result


def stopped(pairs: list[Pair], judged: list[Pair], config: FineTuneConfig) -> dict:
    """What a user gets who presses Stop before anything was saved."""
    points = []
    for mark in (8, 10, 12, 14):
        control = Control()
        began = time.perf_counter()

        def look(
            _: Progress, control: Control = control, end: float = began + mark
        ) -> None:
            if time.perf_counter() > end:
                control.request_stop()

        made = finish(fine_tune_job(pairs, START, config), look, control)
        points.append({"seconds": float(mark)} | quick(made.best, judged))
    return {"points": points}


def reference(pairs: list[Pair], judged: list[Pair], minutes: float) -> dict:
    loop = Reference([pair.color for pair in pairs])
    marks = [mark for mark in MARKS if mark <= 60 * minutes]
    points = []
    for seconds, weights in loop.train(marks):
        about = Metadata(generator="unet", context="local")
        points.append({"seconds": seconds} | quick(Checkpoint(about, weights), judged))
    # its default: every picture is normalised by its own statistics
    own = Metadata(generator="unet", context="local", statistics="picture")
    return {
        "points": points,
        "final": judge(Checkpoint(about, weights), judged),
        "final in its test mode": judge(Checkpoint(own, weights), judged),
    }


def single(pairs: list[Pair], judged: list[Pair], minutes: float) -> dict:
    config = FineTuneConfig(minutes=minutes)
    return {
        pair.name: judge(finish(fine_tune_job([pair], START, config)).best, judged)
        for pair in pairs[:2]
    }


def translation(pairs: list[Pair], judged: list[Pair], minutes: float) -> dict:
    """Gray is a nonlinear, blurred, noisy channel; beside the best affine map of it."""
    pairs, judged = ([channel(p) for p in part] for part in (pairs, judged))
    made = finish(fine_tune_job(pairs, START, FineTuneConfig(minutes=minutes)))
    result: dict = {"codec": made.best.metadata.codec}
    result |= judge(made.best, judged)
    # fitted to the very pictures it is judged by: no map from elsewhere is better
    for name, groups in (("one map", [judged]), ("a map each", [[p] for p in judged])):
        found = [value for group in groups for value in affine(group)]
        result[f"affine, {name}"] = statistics.fmean(found)
    return result


def affine(pairs: list[Pair]) -> list[float]:
    """PSNR of the affine map per channel that fits these pairs best."""
    gray = np.concatenate([pair.gray.ravel() for pair in pairs])
    known = np.stack([gray, np.ones(gray.size)], axis=1)
    colors = np.concatenate([pair.color.reshape(-1, 3) for pair in pairs])
    found, *_ = np.linalg.lstsq(known, colors.astype(float), rcond=None)
    images = (known @ found).round().clip(0, 255).astype(np.uint8)
    ends = np.cumsum([pair.gray.size for pair in pairs])[:-1]
    parts = zip(np.split(images, ends), pairs, strict=True)
    return [psnr(part.reshape(pair.color.shape), pair.color) for part, pair in parts]


def channel(pair: Pair) -> Pair:
    """Gray as a dim camera gives it: an exponential of green, blurred, and noisy."""
    green = pair.color[..., 1] / 255
    blurred = gaussian_filter(np.exp(-4 * green), sigma=1.0)
    random = np.random.default_rng(int(pair.color.sum()))
    noisy = blurred + random.normal(0, 0.1, blurred.shape)
    gray = noisy.clip(0, 1).astype(np.float32)
    return pairs_of(pair.color, gray, name=pair.name, limits=(0.0, 1.0))[0]


def speed(pairs: list[Pair]) -> dict:
    """Steps per second in turns with the reference, in one run."""
    loop = Reference([pair.color for pair in pairs])
    runs: dict[str, Callable[[], object]] = {"reference": loop.step}
    for name, start, config in (
        ("compact, GAN phase on", START, FineTuneConfig(gan_phase=1.0)),
        (
            "compact, GAN phase on, 1 x 256 px",
            START,
            FineTuneConfig(gan_phase=1.0, batch=1, patch=256),
        ),
        ("U-Net, recipe paper", "scratch", FineTuneConfig.preset("paper")),
    ):
        for precision in ("float32", "bfloat16"):
            runs[f"{name}, {precision}"] = stepper(pairs, start, config, precision)
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(8):
        for name, run in runs.items():
            began = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - began)
    median = {name: statistics.median(times[1:]) for name, times in seconds.items()}
    return {
        name: {"seconds": took, "times the reference": median["reference"] / took}
        for name, took in median.items()
    }


def stepper(
    pairs: list[Pair], start: str, config: FineTuneConfig, precision: str
) -> Callable[[], object]:
    base = base_of(start, config)
    sampler = PatchSampler(pairs, config, LabCodec(), hints=base is not None)
    sample = sampler.batch(0).source
    _, generator = make_generator(base, config, "colorization", sample)
    trainer = Trainer(
        generator,
        config,
        CPU,
        steps=1000,
        discriminator=make_discriminator(config, "colorization"),
        precision=precision,
    )
    return lambda: trainer.step(sampler.batch(trainer.done))


def reached(results: dict) -> list[list[str]]:
    """Rows of a table: after how many steps and seconds each start reaches a PSNR."""
    curves = [results[name]["points"] for name in STARTS if name in results]
    values = [point["psnr"] for points in curves for point in points]
    rows = [["PSNR", *(CURVES[name] for name in STARTS if name in results)]]
    for level in range(math.ceil(min(values)), math.floor(max(values)) + 1):
        firsts = [
            next((point for point in points if point["psnr"] >= level), None)
            for points in curves
        ]
        cells = [
            f"{first['step']} steps, {first['seconds']:.0f} s" if first else "never"
            for first in firsts
        ]
        rows.append([f"{level} dB", *cells])
    return [rows[0], ["---"] * len(rows[0]), *rows[1:]]


def plot(results: dict, path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7.2, 4.0), dpi=120)
    gray = results["reference"]["final"]["gray"]
    axes.axhline(gray, color="gray", lw=1, ls=":")
    axes.text(299, gray + 0.15, "left gray", color="gray", ha="right", va="bottom")
    for (name, label), color in zip(
        CURVES.items(), ("C0", "C2", "C4", "C1", "k"), strict=True
    ):
        if name not in results:
            continue
        points = results[name]["points"]
        if name == "pretrained" and "stopped" in results:
            # before the first save, it is what a stop would give
            points = [points[0], *results["stopped"]["points"], *points[1:]]
        axes.plot(
            [p["seconds"] for p in points],
            [p["psnr"] for p in points],
            color=color,
            marker=".",
            ls="--" if name == "reference" else "-",
            label=label,
        )
    axes.set(
        xlabel="seconds of training, all included",
        ylabel="PSNR on 12 other images (dB)",
    )
    axes.set_xlim(0, 300)
    axes.legend(loc="lower right", fontsize=8)
    axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("parts", nargs="*")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--steps", type=int, help="of curves, instead of minutes")
    given = parser.parse_args()
    pairs, sixth, spread = pictures(given.folder)
    minutes, least = given.minutes, min(given.minutes, 1.0)
    budget = {"minutes": minutes, "steps": given.steps, "patience": 0}
    whole = FineTuneConfig(**budget, context="local")
    paper = FineTuneConfig.preset("paper", **budget)

    def curve_from(start: str, config: FineTuneConfig) -> dict:
        return curve(pairs, sixth, spread, start, config)

    def translated() -> dict:
        ten, _, judged = pictures(given.folder, 10)
        return translation(ten, judged, minutes)

    runs: dict[str, Callable[[], dict]] = {
        "pretrained": lambda: curve_from(START, whole),
        "minute": lambda: curve_from(START, FineTuneConfig(minutes=least)),
        "palette": lambda: with_palettes(pairs, sixth, spread, whole),
        "natural": lambda: curve_from("natural", whole),
        "untrained": lambda: curve_from("scratch", whole),
        "paper": lambda: curve_from("scratch", paper),
        "stopped": lambda: stopped(pairs, sixth, whole),
        "reference": lambda: reference(pairs, sixth, minutes),
        "single": lambda: single(pairs, spread, minutes / 2),
        "translation": translated,
        "speed": lambda: speed(pairs),
    }
    given.out.mkdir(parents=True, exist_ok=True)
    file = given.out / "results.json"
    results = json.loads(file.read_text()) if file.exists() else {}
    for name in given.parts or [*runs, "plot", "reached"]:
        if name == "plot":
            plot(results, given.out / "curves.png")
            continue
        if name == "reached":
            for cells in reached(results):
                print("|", " | ".join(cells), "|")
            continue
        if name not in results:
            results[name] = runs[name]()
            file.write_text(json.dumps(results, indent=1))
        print(f"\n{name}")
        show(results[name])


def show(result: dict) -> None:
    for name, value in result.items():
        if isinstance(value, list):
            for point in value:
                print(f"  {name:10}", numbers(point))
        elif isinstance(value, dict):
            print(f"  {name:45}", numbers(value))
        else:
            print(
                f"  {name}: {value:.2f}"
                if isinstance(value, float)
                else f"  {name}: {value}"
            )


def numbers(values: dict) -> str:
    return "  ".join(
        f"{k} {v:.3g}"
        if isinstance(v, float) and abs(v) < 1
        else f"{k} {v:.2f}"
        if isinstance(v, float) and math.isfinite(v)
        else f"{k} {v}"
        for k, v in values.items()
    )


if __name__ == "__main__":
    main()
