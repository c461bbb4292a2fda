"""Attention over the places of a feature map."""

import torch.nn.functional as F
from torch import Tensor, nn

HEADS = 4
"""Into which the channels of a place are divided."""


class Attention(nn.Module):
    """Let every place look at all others, so that places alike agree.

    A pre-norm transformer layer (Vaswani et al. 2017, arXiv 1706.03762) over the places
    of a feature map; it starts as the identity.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.queries = nn.Linear(width, 3 * width)
        self.join = nn.Linear(width, width)
        self.norm_each = nn.LayerNorm(width)
        self.widen = nn.Linear(width, 2 * width)
        self.narrow = nn.Linear(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Look from every place of (N, width, H, W) at all others."""
        n, width, rows, columns = x.shape
        tokens = x.flatten(2).transpose(1, 2)  # (N, rows * columns, width)
        parts = self.queries(self.norm(tokens)).view(n, -1, 3, HEADS, width // HEADS)
        queries, keys, values = parts.permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(queries, keys, values)
        tokens = tokens + self.join(seen.transpose(1, 2).reshape(n, -1, width))
        tokens = tokens + self.narrow(F.gelu(self.widen(self.norm_each(tokens))))
        result: Tensor = tokens.transpose(1, 2).reshape(n, width, rows, columns)
        return result
