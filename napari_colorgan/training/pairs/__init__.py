"""Pairs of a gray and a colour picture of the same pixels: made, checked, divided."""

from napari_colorgan.training.pairs.arrays import gray_of, pair_of_color, pairs_of
from napari_colorgan.training.pairs.checks import PairCheck, check, decide_task
from napari_colorgan.training.pairs.files import (
    load_pairs,
    match_folders,
    read_color_file,
    read_folders_job,
    read_pair_files,
    save_pairs,
)
from napari_colorgan.training.pairs.pair import MIN_SIDE, Pair, digest
from napari_colorgan.training.pairs.placement import Placement, common_regions
from napari_colorgan.training.pairs.splitting import Split, split

__all__ = [
    "MIN_SIDE",
    "Pair",
    "PairCheck",
    "Placement",
    "Split",
    "check",
    "common_regions",
    "decide_task",
    "digest",
    "gray_of",
    "load_pairs",
    "match_folders",
    "pair_of_color",
    "pairs_of",
    "read_color_file",
    "read_folders_job",
    "read_pair_files",
    "save_pairs",
    "split",
]
