"""What a run knows of itself: its losses, its scores, and its best weights."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, Self

from torch import Tensor

from napari_colorgan.metrics import Figures
from napari_colorgan.training.events import History, Validated
from napari_colorgan.training.validation import Validation, goodness

_AVERAGED = 0.98  # decay of the loss that is shown
_POINTS = 1000  # of the loss curve
_WORSE_FOR = 3  # validations, and
_WORSE_BY = 0.3  # dB below the best: overfitting


@dataclasses.dataclass(slots=True)
class Record:
    """What a run knows of itself; a part of its state."""

    loss: float | None = None
    """Moving average of the pixel loss."""
    best: dict[str, Tensor] = dataclasses.field(default_factory=dict)
    """Weights of the best validation; empty if none decides."""
    best_step: int = 0
    best_loss: float = math.inf
    best_goodness: float = -math.inf
    history: History = dataclasses.field(default_factory=History)

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Self:
        """Read what `state` returned."""
        names = [field.name for field in dataclasses.fields(cls)]
        values = {name: state[name] for name in names}
        return cls(**(values | {"history": _read_history(state["history"])}))

    def state(self) -> dict[str, Any]:
        """All of it, as tensors, plain numbers and texts."""
        names = [field.name for field in dataclasses.fields(self)]
        values = {name: getattr(self, name) for name in names}
        return values | {"history": dataclasses.asdict(self.history)}

    def add_loss(self, value: float, step: int, steps: int) -> float:
        """Note the pixel loss of a step; returns the moving average."""
        before = value if self.loss is None else self.loss
        self.loss = _AVERAGED * before + (1 - _AVERAGED) * value
        if step % max(1, steps // _POINTS) == 0:
            self.history.losses.append((step, self.loss))
        return self.loss

    def add_validation(
        self,
        figures: Figures,
        step: int,
        steps: int,
        *,
        validation: Validation,
        weights: Mapping[str, Tensor],
    ) -> Validated:
        """Note the scores of weights, which are copied if they are the best."""
        good = goodness(figures)
        is_best = validation.decides and not (self.best and good <= self.best_goodness)
        if is_best:
            self.best_goodness = good
            self.best_step = step
            self.best_loss = math.inf if self.loss is None else self.loss
            self.best = halved(weights)
        validated = Validated(
            step,
            steps,
            figures,
            validation.gray,
            validation.before,
            is_best,
            overfitting=not is_best
            and self.validations_since_best + 1 >= _WORSE_FOR
            and self.loss is not None
            and self.loss < self.best_loss
            and good < self.best_goodness - _WORSE_BY,
        )
        self.history.validations.append(validated)
        return validated

    @property
    def judged_step(self) -> int:
        """Step of the last validation; -1 if there was none."""
        validations = self.history.validations
        return validations[-1].done if validations else -1

    @property
    def validations_since_best(self) -> int:
        """How many there were since the best."""
        return sum(each.done > self.best_step for each in self.history.validations)

    def scores(self, step: int) -> dict[str, Any]:
        """Scores of the validation at a step, for a checkpoint; empty without one."""
        return {
            name: dataclasses.asdict(figures)
            for each in self.history.validations
            if each.done == step
            for name, figures in (
                ("scores", each.now),
                ("scores_gray", each.gray),
                ("scores_before", each.before),
            )
        }


def halved(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copy weights to the CPU, in half precision unless they are whole numbers."""
    return {
        name: value.detach().half().cpu()
        if value.is_floating_point()
        else value.detach().cpu().clone()
        for name, value in weights.items()
    }


def _read_history(values: Mapping[str, Any]) -> History:
    validations = []
    for value in values["validations"]:
        figures = {k: Figures(**value[k]) for k in ("now", "gray", "before")}
        validations.append(Validated(**(value | figures)))
    return History([(step, loss) for step, loss in values["losses"]], validations)
