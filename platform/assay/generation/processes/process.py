"""What the three processes share: a path from noise to data, one target, one loss, one sampler.

Positions follow x_t = a(t) x_1 + (noise of standard deviation s(t)), with data x_1 at t = 1. Atom
types are kept with probability κ(t), otherwise drawn from the marginal of the training set. Every
network predicts the clean molecule; velocity, noise and score follow from it. Positions are
preconditioned so that the network's output has unit scale at every t (Karras et al., "Elucidating
the design space of diffusion-based generative models", NeurIPS 2022, eq. 7 and table 1, with unit
variance of the data):

    x̂_1 = a/(a² + s²) x_t + s/√(a² + s²) F(x_t, t),   weight of |x̂_1 - x_1|²: (a² + s²)/s²

Shapes: B molecules, N atoms (padded), K types.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Self

import torch
from pydantic import PositiveFloat, PositiveInt
from torch import Tensor

from assay.config import Settings
from assay.generation.denoiser import Atoms, Denoiser, Head, Prediction, mean_free
from assay.training.draws import Draws


class ProcessSettings(Settings):
    """What every process can be told."""

    steps: PositiveInt = 100
    """Network evaluations a sample."""
    max_weight: PositiveFloat = 100.0
    """Limit of the weight of the position loss, reached near the data."""


@dataclass(frozen=True)
class PathPoint:
    """A point of the path of each clean molecule, and what the extra heads are to predict."""

    clean: Atoms
    atoms: Atoms
    time_B: Tensor
    noise_BN3: Tensor | None = None

    def joined(self, other: Self) -> Self:
        """Return the points of both, one after the other."""
        noise = (self.noise_BN3, other.noise_BN3)
        return type(self)(
            self.clean.joined(other.clean),
            self.atoms.joined(other.atoms),
            torch.cat([self.time_B, other.time_B]),
            None if noise[0] is None or noise[1] is None else torch.cat([noise[0], noise[1]]),
        )


class GenerativeProcess(ABC):
    """A path, the target it implies and the samplers that follow it back from noise to data."""

    Settings: ClassVar[type[ProcessSettings]]
    heads: ClassVar[tuple[Head, ...]] = ()
    """Heads beyond the clean molecule that the denoiser must have."""

    def __init__(self, settings: ProcessSettings, type_prior_K: Tensor) -> None:
        self.steps, self.max_weight = settings.steps, settings.max_weight
        self.type_prior_K = type_prior_K

    @abstractmethod
    def signal_and_noise(self, time: Tensor) -> tuple[Tensor, Tensor]:
        """Return a(t) and s(t), of the shape of `time`."""

    @abstractmethod
    def keep(self, time: Tensor) -> Tensor:
        """Return κ(t), the probability that a type is still that of the data."""

    @abstractmethod
    def path(self, clean: Atoms, draws: Draws) -> PathPoint:
        """Return a random point of the path of each clean molecule."""

    @abstractmethod
    def advance(
        self, atoms: Atoms, clean: Prediction, now: Tensor, then: Tensor, draws: Draws
    ) -> Tensor:
        """Return positions (B, N, 3) at the time `then`, given the prediction at `now`."""

    @abstractmethod
    def times(self) -> Tensor:
        """Return (steps + 1,) increasing times of the sampler; the last one is 1."""

    def predict(
        self, network: Denoiser, atoms: Atoms, time_B: Tensor, previous: Prediction | None
    ) -> Prediction:
        """Return the clean molecule that the network sees in a point of the path."""
        raw = network(atoms, time_B, previous)
        a_B11, s_B11 = (v[:, None, None] for v in self.signal_and_noise(time_B))
        variance = a_B11**2 + s_B11**2
        clean_BN3 = (a_B11 / variance) * atoms.positions_BN3 + (
            s_B11 / variance.sqrt()
        ) * raw.positions_BN3.float()
        noise_BN3 = raw.noise_BN3
        if noise_BN3 is not None:
            noise_BN3 = mean_free(noise_BN3.float(), atoms.mask_BN)
        return Prediction(
            mean_free(clean_BN3, atoms.mask_BN), raw.type_logits_BNK.float(), noise_BN3
        )

    def losses(self, prediction: Prediction, point: PathPoint) -> Mapping[str, Tensor]:
        """Return the parts of the loss, each (B,): positions, types and those of extra heads."""
        a_B, s_B = self.signal_and_noise(point.time_B)
        weight_B = ((a_B**2 + s_B**2) / s_B.clamp(min=1e-6) ** 2).clamp(max=self.max_weight)
        clean, mask_BN = point.clean, point.clean.mask_BN
        squared_BN = (prediction.positions_BN3 - clean.positions_BN3).square().mean(-1)
        entropy_BN = torch.nn.functional.cross_entropy(
            prediction.type_logits_BNK.transpose(1, 2), clean.types_BN, reduction="none"
        )
        parts = {
            "positions": weight_B * atom_mean(squared_BN, mask_BN),
            "types": atom_mean(entropy_BN, mask_BN),
        }
        if point.noise_BN3 is not None and prediction.noise_BN3 is not None:
            off_BN = (prediction.noise_BN3 - point.noise_BN3).square().mean(-1)
            parts["noise"] = atom_mean(off_BN, mask_BN)
        return parts

    def corrupt_types(self, clean: Atoms, time_B: Tensor, draws: Draws) -> Tensor:
        """Return types (B, N) of which a fraction κ(t) is kept, the rest drawn from the prior."""
        kept_BN = draws.uniform("keep", clean.types_BN.shape[1]) < self.keep(time_B)[:, None]
        return torch.where(kept_BN, clean.types_BN, self.draw_types(clean.mask_BN, draws))

    def draw_types(self, mask_BN: Tensor, draws: Draws) -> Tensor:
        """Return types (B, N) from the prior, padding 0."""
        prior = self.type_prior_K.to(mask_BN.device).expand(*mask_BN.shape, -1)
        return draws.categorical("prior", prior) * mask_BN

    def jump_types(
        self, atoms: Atoms, clean: Prediction, now: Tensor, then: Tensor, draws: Draws
    ) -> Tensor:
        """Return types (B, N) at `then`: with the hazard of the path, jump to the predicted type.

        An Euler step of the flow on discrete states: Campbell et al., "Generative flows on
        discrete state-spaces", ICML 2024, with rate κ'/(1 - κ) towards the predicted type.
        """
        hazard = (self.keep(then) - self.keep(now)) / (1 - self.keep(now))
        jumps_BN = draws.uniform("jump", atoms.types_BN.shape[1]) < hazard
        drawn_BN = draws.categorical("type", clean.type_logits_BNK.softmax(-1))
        return torch.where(jumps_BN & atoms.mask_BN, drawn_BN, atoms.types_BN)

    def start(self, mask_BN: Tensor, draws: Draws) -> Atoms:
        """Return the atoms at the first time: the noise that the path begins with."""
        scale = self.signal_and_noise(self.times()[0])[1].to(mask_BN.device)
        noise_BN3 = mean_free(draws.normal("start", mask_BN.shape[1], 3), mask_BN)
        return Atoms(scale * noise_BN3, self.draw_types(mask_BN, draws), mask_BN)

    def sample(
        self,
        network: Denoiser,
        mask_BN: Tensor,
        record_ids: Tensor,
        seed: int,
        watch: Callable[[float], None],
        condition_on_itself: bool = True,
    ) -> Atoms:
        """Return one sample for every row of the mask; `watch` hears the fraction done.

        `condition_on_itself` is for networks that were trained so. A sample depends on its record
        id and the seed, not on the batch that it shares.
        """
        atoms = self.start(mask_BN, Draws(seed, 0, record_ids))
        times = self.times().to(mask_BN.device)
        previous: Prediction | None = None
        for step, (now, then) in enumerate(pairwise(times), start=1):
            draws = Draws(seed, step, record_ids)
            clean = self.predict(network, atoms, now.expand(len(mask_BN)), previous)
            if step == self.steps:
                types_BN = clean.type_logits_BNK.argmax(-1) * mask_BN
                atoms = Atoms(clean.positions_BN3, types_BN, mask_BN)
            else:
                types_BN = self.jump_types(atoms, clean, now, then, draws)
                moved = atoms.moved(self.advance(atoms, clean, now, then, draws))
                atoms = Atoms(moved.positions_BN3, types_BN, mask_BN)
            previous = clean if condition_on_itself else None
            watch(step / self.steps)
        return atoms


def atom_mean(values_BN: Tensor, mask_BN: Tensor) -> Tensor:
    """Return (B,) the mean over the atoms of each molecule."""
    return (values_BN * mask_BN).sum(1) / mask_BN.sum(1)


def mean_free_noise(name: str, mask_BN: Tensor, draws: Draws) -> Tensor:
    """Return standard normal (B, N, 3) without its mean, padding 0."""
    return mean_free(draws.normal(name, mask_BN.shape[1], 3), mask_BN)
