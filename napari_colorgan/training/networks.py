"""The networks that a training starts with."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from napari_colorgan.checkpoints import zoo
from napari_colorgan.checkpoints.metadata import Context, Metadata
from napari_colorgan.checkpoints.store import Checkpoint
from napari_colorgan.color import CODECS
from napari_colorgan.errors import BadSetting
from napari_colorgan.inference.statistics import StatisticsMeter
from napari_colorgan.models import GeneratorSpec, build
from napari_colorgan.models.compact import Compact
from napari_colorgan.models.patchgan import PatchDiscriminator
from napari_colorgan.training.first_weights import (
    draw_weights,
    level,
    load_imagenet_encoder,
)
from napari_colorgan.training.schemes import scheme_of
from napari_colorgan.training.settings import CODEC_OF, FineTuneConfig, Settings, Task


def base_of(
    start: str | Path | Checkpoint, config: FineTuneConfig
) -> Checkpoint | None:
    """Checkpoint of a start; None if all weights are to be fresh.

    It predicts no chroma: a few pairs do not tell how sure a colour is.

    Raises
    ------
    UnknownModel, CheckpointError
    """
    if config.is_published or start == zoo.SCRATCH:
        return None
    return _without_chroma(zoo.open_model(start))


def fitting_patch(base: Checkpoint | None, patch: int) -> int:
    """Side of a patch in px, enlarged to what the generator of `base` can read.

    Raises
    ------
    CheckpointError
    """
    if base is None:
        return patch
    stride = base.generator().stride
    return -(-patch // stride) * stride


def make_generator(
    base: Checkpoint | None, config: FineTuneConfig, task: Task, sample: Tensor
) -> tuple[Metadata, nn.Module]:
    """Make the generator to be trained, on the CPU, and what its checkpoint will say.

    A base made for the other task gives all weights but those of its last layers.

    Parameters
    ----------
    sample : sources (N, 1, H, W) that show how large activations become

    Raises
    ------
    BadSetting, CheckpointError
    """
    codec = CODEC_OF[task]
    channels = CODECS[codec].out_channels
    context: Context = "whole" if config.context == "whole" else "local"
    working_size = config.patch if context == "whole" else 256
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        if base is None:
            name, options = scheme_of(config).generator(channels, config.patch)
            generator = build(GeneratorSpec(name, options))
            if isinstance(generator, Compact):
                level(generator, generator, sample)
            else:
                draw_weights(generator)
            metadata = Metadata(generator=name, options=options)
        else:
            about = base.metadata
            options = about.options | {"out_channels": channels}
            vividness = about.vividness
            if codec == "rgb":  # of which no doubts are known
                options, vividness = without_doubts(options), None
            elif vividness is not None:
                vividness = 0.0  # few pairs show few colours: their mean is right
            metadata = replace(about, options=options, vividness=vividness)
            if about.codec == codec:
                generator = base.generator()
            else:
                generator = build(GeneratorSpec(about.generator, options))
                fresh = _borrow(generator, base.generator())
                if isinstance(generator, Compact):
                    level(generator, nn.ModuleList(fresh), sample)
            if about.context == context == "whole":
                working_size = about.working_size
            if any(isinstance(m, nn.BatchNorm2d) for m in generator.modules()):
                # the trainer keeps the stored ones, so its weights are meant for them
                if about.statistics == "picture":  # those of the base are not used
                    _store_statistics(generator, sample)
                metadata = replace(metadata, statistics="stored")
    if config.patch % generator.stride:
        raise BadSetting(
            "patch",
            config.patch,
            f"a multiple of {generator.stride} px for this generator",
        )
    return replace(
        metadata,
        codec=codec,
        context=context,
        working_size=working_size,
        levels=None,  # the user's pairs are learned from as they are
    ), generator


def give_weights(generator: nn.Module, base: Checkpoint | None, sample: Tensor) -> None:
    """Give a generator weights to learn from many pictures with.

    They are those of `base` as far as it has them; default: ImageNet's for the encoder
    of `compact`, else fresh ones.

    Parameters
    ----------
    sample : sources (N, 1, H, W) that show how large activations become

    Raises
    ------
    BadSetting
        `base` has another generator.
    """
    if base is not None:
        fresh = _borrow(generator, _without_chroma(base).generator())
        # what is added says nothing at first, so that all begins as `base` is
        added = generator.additions() if isinstance(generator, Compact) else []
        if not set(fresh) <= set(added):
            expected = "a model with the generator of the recipe"
            raise BadSetting("start", base.metadata.name, expected)
    elif isinstance(generator, Compact):
        load_imagenet_encoder(generator)
        level(generator, generator.decoder, sample)
    else:
        draw_weights(generator)


def make_discriminator(config: Settings, task: Task) -> PatchDiscriminator | None:
    """Discriminator for a run; None where none is needed."""
    channels = 1 + CODECS[CODEC_OF[task]].out_channels
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed + 1)
        discriminator = scheme_of(config).discriminator(channels)
    return None if discriminator is None else discriminator.train()


def _store_statistics(generator: nn.Module, sample: Tensor) -> None:
    """Replace the stored statistics by those of a sample."""
    with torch.no_grad():
        statistics = StatisticsMeter(generator).measure(sample)
    generator.load_state_dict(statistics, strict=False)  # these only


def without_doubts(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options of a generator that says colours alone, not how sure they are."""
    told = ("predicts_chroma", "alternatives")
    return {name: value for name, value in options.items() if name not in told}


def _without_chroma(checkpoint: Checkpoint) -> Checkpoint:
    about = checkpoint.metadata
    if not about.options.get("predicts_chroma"):
        return checkpoint
    options = without_doubts(about.options)
    head = {k: v[:2] for k, v in checkpoint.weights.items() if k.startswith("head.")}
    return Checkpoint(
        replace(about, options=options, vividness=None),
        dict(checkpoint.weights) | head,
    )


def _borrow(generator: nn.Module, base: nn.Module) -> list[nn.Module]:
    """Copy all weights that fit; returns the layers that have to start fresh."""
    offered = base.state_dict()
    wanted = generator.state_dict()
    fits = {
        k: v for k, v in offered.items() if k in wanted and wanted[k].shape == v.shape
    }
    # as soon as one weight of a layer does not fit, none of it is of use
    layers = dict(generator.named_modules())
    fresh = {name.rpartition(".")[0] for name in wanted if name not in fits}
    kept = {k: v for k, v in fits.items() if k.rpartition(".")[0] not in fresh}
    generator.load_state_dict(wanted | kept)
    return [layers[name] for name in sorted(fresh)]
