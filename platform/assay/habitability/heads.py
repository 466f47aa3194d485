"""What is told of a planet by its fused state.

Everything but habitability is told as what it differs by from the mean of the training planets, so
that training begins there.

Shapes: B planets, S states of a planet, D width, K thresholds, V variables, J latitudes, L
longitudes, M months, W bins, P parameters, H buckets, C columns of a network's sketch.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from assay.habitability.data.modalities import MODALITIES, Modality
from assay.habitability.fusions.fusion import Fused
from assay.habitability.harmonics import COEFFICIENTS, Harmonics
from assay.habitability.targets import Averages
from assay.habitability.thresholds import Chances

LEAST_CHANCE = 1e-3
"""Of what no training planet has, or all of them have."""


@dataclass(frozen=True)
class Foretold:
    """Habitability, by every state of a planet."""

    odds_BSK: Tensor
    """Log odds of reaching the thresholds."""
    shares_BS: Tensor

    @property
    def chance_BK(self) -> Tensor:
        """The chances, a mean over states."""
        return (self.odds_BSK.sigmoid() * self.shares_BS.unsqueeze(-1)).sum(1)


@dataclass(frozen=True)
class Told:
    """Everything that is told of B planets."""

    habitability: Foretold
    liquid_water_B: Tensor
    """0 to 1."""
    environment_B4: Tensor
    """As `assay.pathways.environment` normalises it."""
    modalities: Mapping[Modality, Tensor]
    """(B, …) as `assay.habitability.targets.aims` has them; of descriptions log odds of buckets. Of
    all modalities, but where an expert rebuilds its own alone."""


def constants_of(averages: Averages) -> dict[str, Tensor]:
    """Return what is told of a planet of which nothing is known, but for habitability."""
    grams_H = averages.modalities["text_descriptions"].clamp(LEAST_CHANCE, 1 - LEAST_CHANCE)
    return {
        "liquid_water": averages.liquid_water.clamp(LEAST_CHANCE, 1 - LEAST_CHANCE).logit(),
        "environment": averages.environment_4,
        **averages.modalities,
        "text_descriptions": grams_H.logit(),
    }


class Heads(nn.Module):
    """One a quantity, on layers that they share."""

    def __init__(
        self, width: int, averages: Averages, rebuilt: Sequence[Modality] = MODALITIES
    ) -> None:
        """Begin at the means of the training planets.

        Args:
            width: Of states.
            averages: Of the training planets.
            rebuilt: The modalities that are told of, in the order of MODALITIES.
        """
        super().__init__()
        self.rebuilt = tuple(rebuilt)
        self.chances = Chances(width, averages.reached_K)
        self.before = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU())
        self.harmonics = Harmonics()
        left_out = {*MODALITIES} - {*rebuilt}
        constants = {k: v for k, v in constants_of(averages).items() if k not in left_out}
        for name, constant in constants.items():
            # A copy: a checkpoint holds no tensor twice, and experts have such heads as well.
            self.register_buffer(f"mean_{name}", constant.clone())
        sizes = {name: math.prod(constant.shape) for name, constant in constants.items()}
        if "climate_cubes" in sizes:
            sizes["climate_cubes"] = COEFFICIENTS
        self.outs = nn.ModuleDict({name: nn.Linear(width, size) for name, size in sizes.items()})
        with torch.no_grad():
            for out in self.outs.values():
                out.weight.mul_(0.03)  # pyright: ignore[reportCallIssue, reportOptionalMemberAccess]
                out.bias.zero_()  # pyright: ignore[reportCallIssue, reportOptionalMemberAccess]

    def habitability(self, fused: Fused) -> Foretold:
        """Return what each state foretells."""
        return Foretold(self.chances(fused.states_BSD), fused.shares_BS.float())

    def forward(self, fused: Fused) -> Told:
        """Return everything."""
        x_BD = self.before(fused.whole_BD)
        told = {name: self._told(name, out(x_BD).float()) for name, out in self.outs.items()}
        return Told(
            self.habitability(fused),
            told["liquid_water"].sigmoid(),
            told["environment"],
            {name: told[name] for name in self.rebuilt},
        )

    def _told(self, name: str, out: Tensor) -> Tensor:
        mean: Tensor = getattr(self, f"mean_{name}")
        if name == "climate_cubes":
            return mean + self.harmonics(out)
        return mean + out.reshape(len(out), *mean.shape)
