"""Changes to training crops that leave the right answer as it is."""

import torch
from torch import Tensor


def vary_gray(
    gray: Tensor, share: float, random: torch.Generator, *, strength: float = 1.0
) -> Tensor:
    """Change gamma, contrast, brightness and noise of a share of (N, 1, H, W).

    Cameras, films and scanners disagree about the gray of one and the same scene.
    `strength` from 0 to 1 scales the changes.
    """
    n = gray.shape[0]

    def uniform(low: float, high: float) -> Tensor:
        return torch.rand((n, 1, 1, 1), generator=random) * (high - low) + low

    chosen = uniform(0, 1) < share
    gamma = torch.exp(strength * uniform(-0.45, 0.45))  # 0.64 to 1.57
    contrast = 1 + strength * uniform(-0.3, 0.15)
    brightness = strength * uniform(-0.1, 0.1)
    noise = torch.randn(gray.shape, generator=random) * strength * uniform(0, 0.04)
    varied = (gray.clamp(min=1e-4) ** gamma - 0.5) * contrast + 0.5 + brightness + noise
    return torch.where(chosen, varied.clamp(0, 1), gray)


def simulate_hints(
    target: Tensor, share: float, random: torch.Generator, most: int = 12
) -> Tensor:
    """Colour hints as a user might give them; (N, 3, H, W), see `models.compact`.

    A share of the crops gets 1 to `most` squares of 1 to 9 px with the mean colour of
    the target there, as in Zhang et al. 2017 (arXiv 1705.02999, section 3.2).
    """
    n, _, height, width = target.shape
    hints = target.new_zeros((n, 3, height, width))
    for index in range(n):
        if torch.rand((), generator=random) >= share:
            continue
        for _ in range(int(torch.randint(1, most + 1, (), generator=random))):
            side = 2 * int(torch.randint(0, 5, (), generator=random)) + 1
            y = int(torch.randint(0, height - side + 1, (), generator=random))
            x = int(torch.randint(0, width - side + 1, (), generator=random))
            place = (slice(y, y + side), slice(x, x + side))
            hints[index, :2, *place] = target[index, :, *place].mean(
                (1, 2), keepdim=True
            )
            hints[index, 2, *place] = 1
    return hints


def vary_judged(pictures: Tensor, random: torch.Generator) -> Tensor:
    """Move pictures and cut a hole into them, alike for all that are compared.

    What a discriminator sees of few pairs, so that it cannot learn them by heart;
    differentiable. Translation and cutout of Zhao et al. 2020 (arXiv 2006.10738).

    Parameters
    ----------
    pictures : (K, N, C, H, W): K versions of N pictures; all K get the same change
    """
    _, n, _, height, width = pictures.shape
    varied = []
    for index in range(n):
        dy, dx = (
            int(torch.randint(-(side // 8), side // 8 + 1, (), generator=random))
            for side in (height, width)
        )
        hole = [
            int(torch.randint(0, side - side // 4, (), generator=random))
            for side in (height, width)
        ]
        one = torch.roll(pictures[:, index], (dy, dx), (-2, -1))
        keep = one.new_ones((height, width))
        keep[hole[0] : hole[0] + height // 4, hole[1] : hole[1] + width // 4] = 0
        varied.append(one * keep)
    return torch.stack(varied, dim=1)
