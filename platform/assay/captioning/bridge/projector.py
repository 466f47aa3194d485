"""The bridge itself: from a molecule's embedding to tokens that a language model reads.

Source: the multi-layer perceptrons of LLaVA-1.5 (Liu et al., CVPR 2024), for molecules as in
InstructMol (Cao et al., COLING 2025) and as the baseline "MLP (w/ high-level)" of LLaMo (Park et
al., NeurIPS 2024, table 4).

Shapes: B molecules, O width of an encoder's embedding, K graph tokens, D width of the language
model.
"""

import torch
from torch import Tensor, nn


class Projector(nn.Module):
    """O -> width -> width -> K · D, with GELU and LayerNorm after the first two."""

    unit: Tensor
    """Of an entry of a token."""

    def __init__(
        self, inputs: int, width: int, outputs: int, tokens: int = 1, length: float = 1.0
    ) -> None:
        """Build the layers.

        Args:
            inputs: O.
            width: Of the hidden layers.
            outputs: D.
            tokens: K.
            length: Of a token to begin with: that of what it is aligned to.
        """
        super().__init__()
        self.tokens, self.outputs = tokens, outputs
        # Embeddings have entries of some hundredths. In units of them a learning rate does what it
        # does in every other layer, instead of moving a weight by more than its own size.
        self.register_buffer("unit", torch.tensor(length / outputs**0.5))
        self.layers = nn.Sequential(
            nn.Linear(inputs, width),
            nn.GELU(),
            nn.LayerNorm(width),
            nn.Linear(width, width),
            nn.GELU(),
            nn.LayerNorm(width),
            nn.Linear(width, tokens * outputs),
        )
        last = self.layers[-1]
        assert isinstance(last, nn.Linear)
        # What comes in has length √width after the norm.
        nn.init.normal_(last.weight, std=width**-0.5)
        nn.init.zeros_(last.bias)

    def forward(self, x_BO: Tensor) -> Tensor:
        """Return (B, K, D)."""
        return self.unit * self.layers(x_BO).view(len(x_BO), self.tokens, self.outputs)
