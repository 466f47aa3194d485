"""What the three processes share: a path from noise to data, one target, one loss, one sampler.

Positions follow x_t = a(t) x_1 + (noise of standard deviation s(t)), with data x_1 at t = 1. Atom
types are kept with probability κ(t), otherwise drawn from the marginal of the training set. Every
network predicts the clean molecule; velocity, noise and score follow from it (`conversions`, which
also has the scales of the network's output and the weight of its loss).

Shapes: B systems, N atoms (padded), S rows of a state (`geometry`), K types.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import ClassVar, Self

import torch
from pydantic import PositiveFloat, PositiveInt, model_validator
from torch import Tensor

from assay.config import Settings
from assay.generation.denoiser import Atoms, Head, Network, Prediction, joined, mean_free
from assay.generation.processes import conversions, samplers
from assay.generation.processes.conversions import Target
from assay.generation.processes.coupling import Coupling
from assay.generation.processes.geometry import EUCLIDEAN, UNIFORM_SPREAD, Geometry
from assay.generation.processes.samplers import Solver
from assay.training.draws import Draws

_LOOKS = 513
"""At a path, before a time on it is narrowed down."""


class ProcessSettings(Settings):
    """What every process can be told."""

    of_sampling: ClassVar[frozenset[str]] = frozenset({"steps", "solver", "tolerance"})
    """Fields that training does not depend on: a trained network can be sampled with others."""
    steps: PositiveInt = 100
    """Intervals of the sampler's grid of times. The network is evaluated once in each; by solver
    heun twice in all but the last, by rk45 at least seven times."""
    max_weight: PositiveFloat = 100.0
    """Limit of the weight of the position loss, reached near the data."""
    solver: Solver = "euler"
    """Of the ordinary differential equation, where the process samples by one."""
    tolerance: PositiveFloat = 1e-3
    """Of rk45: largest root-mean-square error of a molecule in one of its steps, in coordinate
    units, and relative to the coordinates."""

    @model_validator(mode="after")
    def _tolerance_has_effect(self) -> Self:
        if self.solver != "rk45":
            belongs_to(self, "solver rk45", "tolerance")
        return self


def belongs_to(settings: Settings, owner: str, *fields: str) -> None:
    """Refuse what was given to fields that have an effect only with `owner`.

    Raises:
        ValueError: for pydantic; a field is not at its default.
    """
    for field in fields:
        if getattr(settings, field) != type(settings).model_fields[field].default:
            raise ValueError(f"{field} belongs to {owner}; here it has no effect")


@dataclass(frozen=True)
class PathPoint:
    """A point of the path of each clean molecule, and what the extra heads are to predict."""

    clean: Atoms
    atoms: Atoms
    time_B: Tensor
    noise_BS3: Tensor | None = None
    """In the form of a state, see `geometry`."""
    end_BS3: Tensor | None = None
    """Of crystals: the state to be predicted, at the end of the way from `atoms`, not wrapped."""

    def joined(self, other: Self) -> Self:
        """Return the points of both, one after the other."""
        return type(self)(
            self.clean.joined(other.clean),
            self.atoms.joined(other.atoms),
            torch.cat([self.time_B, other.time_B]),
            joined(self.noise_BS3, other.noise_BS3),
            joined(self.end_BS3, other.end_BS3),
        )


@dataclass(frozen=True)
class Interval:
    """An interval of the sampler's grid, about to be crossed by the positions.

    Types stay as they are meanwhile, and jump at its end; `look` evaluates the network anywhere in
    it, conditioned on what was predicted before the interval. So the velocity is one function of
    positions and time throughout, as solvers of higher order require.
    """

    atoms: Atoms
    """At the time `now`."""
    clean: Prediction
    """What the network says of them."""
    now: Tensor
    then: Tensor
    draws: Draws
    look: Callable[[Atoms, Tensor], Prediction]


@dataclass(frozen=True)
class Sample(Atoms):
    """Systems at the end of the path."""

    evaluations: int = 0
    """Of the network, by which they were made."""


class GenerativeProcess(ABC):
    """A path, the target it implies and the samplers that follow it back from noise to data."""

    Settings: ClassVar[type[ProcessSettings]]
    heads: tuple[Head, ...] = ()
    """Heads beyond the clean molecule that the denoiser must have."""
    types_given: bool = False
    """Types are known and stay as they are: structure prediction. Their loss stays too, and soon
    vanishes: to repeat what is seen is easily learned."""
    target: Target = "velocity"
    """What the raw output for positions stands for."""
    coupling: Coupling = "independent"
    """Of noise and data, at the points that training looks at."""

    def __init__(
        self, settings: ProcessSettings, type_prior_K: Tensor, geometry: Geometry = EUCLIDEAN
    ) -> None:
        self.geometry = geometry
        self.coupling = getattr(settings, "coupling", "independent")
        self.steps, self.max_weight = settings.steps, settings.max_weight
        self.solver: Solver = settings.solver
        self.tolerance = settings.tolerance
        self.type_prior_K = type_prior_K
        self.foreign_K = type_prior_K == 0
        self.has_foreign = bool(self.foreign_K.any())

    def uncoupled(self) -> Self:
        """Return this process with noise that is drawn without regard to the data.

        Noise that was paired with the data tells of them beyond what its strength leaves.
        """
        free = copy(self)
        free.coupling = "independent"
        return free

    @property
    def evaluations(self) -> int:
        """Of the network, a sample; by rk45 the least, as its tolerance may ask for more."""
        return samplers.evaluations(self.solver, self.steps)

    @abstractmethod
    def signal_and_noise(self, time: Tensor) -> tuple[Tensor, Tensor]:
        """Return a(t) and s(t) of molecules and of cells, of the shape of `time`."""

    def torus_spread(self, time: Tensor) -> Tensor:
        """Return the spread of a crystal's way from a point to the data, in fractions."""
        return UNIFORM_SPREAD * self.signal_and_noise(time)[1]

    def uncertainty(self, time: Tensor, periodic: bool) -> Tensor:
        """Return what a point says of the data, as a standard deviation from 1 (nothing) to 0.

        Of molecules s/√(a² + s²), which the best linear estimate of coordinates of unit variance
        leaves; of crystals the spread of the way, over that of a uniform coordinate.
        """
        if periodic:
            return self.torus_spread(time) / UNIFORM_SPREAD
        a, s = self.signal_and_noise(time)
        return s / a.hypot(s)

    def time_of(self, uncertainty: float, periodic: bool) -> float:
        """Return the last time at which the `uncertainty` is this.

        The last: the mean way of diffusion on a torus is short again where noise leaves nothing to
        tell.

        Raises:
            ValueError: it never is.
        """
        grid = torch.linspace(0, 1, _LOOKS, dtype=torch.float64)
        above = torch.nonzero(self.uncertainty(grid, periodic) >= uncertainty)
        if not len(above):
            raise ValueError(f"no point of the path is as uncertain as {uncertainty}")
        low = float(grid[above[-1]])
        high = min(1.0, low + 1 / (_LOOKS - 1))
        for _ in range(50):
            middle = (low + high) / 2
            here = torch.tensor([middle], dtype=torch.float64)
            is_above = bool(self.uncertainty(here, periodic) >= uncertainty)
            low, high = (middle, high) if is_above else (low, middle)
        return high

    @abstractmethod
    def keep(self, time: Tensor) -> Tensor:
        """Return κ(t), the probability that a type is still that of the data."""

    @abstractmethod
    def training_times(self, draws: Draws) -> Tensor:
        """Return (B,) random times at which training looks at the path."""

    @abstractmethod
    def point(self, clean: Atoms, time_B: Tensor, draws: Draws) -> PathPoint:
        """Return a random point of the path of each clean molecule, at its time."""

    def path(self, clean: Atoms, draws: Draws) -> PathPoint:
        """Return a random point of the path of each clean molecule, as training looks at it."""
        return self.point(clean, self.training_times(draws), draws)

    @abstractmethod
    def velocity(self, atoms: Atoms, clean: Prediction, time: Tensor) -> Tensor:
        """Return dx/dt (B, S, 3) of the probability flow, given the prediction at `time`."""

    @abstractmethod
    def advance(self, interval: Interval) -> Tensor:
        """Return the state (B, S, 3) at the end of an interval that is not the last."""

    @abstractmethod
    def times(self) -> Tensor:
        """Return (steps + 1,) increasing times of the sampler; the last one is 1."""

    def predict(
        self, network: Network, atoms: Atoms, time_B: Tensor, previous: Prediction | None
    ) -> Prediction:
        """Return the clean system that the network sees in a point of the path."""
        raw, geometry, mask_BN = network(atoms, time_B, previous), self.geometry, atoms.mask_BN
        time_B11 = time_B[:, None, None]
        of_here, of_raw = conversions.output_scales(self.target, *self.signal_and_noise(time_B11))
        spread = self.torus_spread(time_B11) if atoms.cell_B6 is not None else of_raw
        of_here = geometry.by_row(torch.ones_like(of_here), of_here, mask_BN)
        of_raw = geometry.by_row(spread, of_raw, mask_BN)
        here_BS3 = geometry.state(atoms)
        clean_BS3 = of_here * here_BS3 + of_raw * geometry.raw(raw, mask_BN)
        clean = geometry.at(clean_BS3, atoms)
        way_BN3 = None
        if atoms.cell_B6 is not None:
            way_BN3 = (clean_BS3 - here_BS3)[:, : mask_BN.shape[1]]
        noise_BN3, cell_noise_B6 = raw.noise_BN3, raw.cell_noise_B6
        return Prediction(
            clean.positions_BN3,
            self._own(raw.type_logits_BNK.float()),
            None if noise_BN3 is None else mean_free(noise_BN3.float(), mask_BN),
            clean.cell_B6,
            None if cell_noise_B6 is None else cell_noise_B6.float(),
            way_BN3,
        )

    def _own(self, logits_BNK: Tensor) -> Tensor:
        """Return logits by which types that the data cannot hold have no probability."""
        if not self.has_foreign:
            return logits_BNK
        foreign_K = self.foreign_K.to(logits_BNK.device)
        return logits_BNK.masked_fill(foreign_K, torch.finfo(logits_BNK.dtype).min)

    def losses(self, prediction: Prediction, point: PathPoint) -> Mapping[str, Tensor]:
        """Return the parts of the loss, each (B,): positions, types, cells, extra heads."""
        geometry, clean, mask_BN = self.geometry, point.clean, point.clean.mask_BN
        scales = self.signal_and_noise(point.time_B)
        weight_B = conversions.loss_weight(self.target, *scales).clamp(max=self.max_weight)
        end_BS3 = geometry.state(clean) if point.end_BS3 is None else point.end_BS3
        off_BS3 = geometry.end(prediction, point.atoms) - end_BS3
        entropy_BN = torch.nn.functional.cross_entropy(
            prediction.type_logits_BNK.transpose(1, 2), clean.types_BN, reduction="none"
        )
        N = mask_BN.shape[1]
        positions_weight_B = weight_B
        if clean.cell_B6 is not None:
            share_B = UNIFORM_SPREAD / self.torus_spread(point.time_B)
            positions_weight_B = share_B.square().clamp(max=self.max_weight) / UNIFORM_SPREAD**2
        parts = {
            "positions": positions_weight_B * atom_mean(off_BS3[:, :N].square().mean(-1), mask_BN),
            "types": atom_mean(entropy_BN, mask_BN),
        }
        if clean.cell_B6 is not None:
            parts["cell"] = weight_B * off_BS3[:, N:].square().mean((1, 2))
        if point.noise_BS3 is not None:
            off_BS3 = geometry.latent(prediction) - point.noise_BS3
            parts["noise"] = atom_mean(off_BS3[:, :N].square().mean(-1), mask_BN)
            if clean.cell_B6 is not None:
                parts["cell_noise"] = off_BS3[:, N:].square().mean((1, 2))
        return parts

    def corrupt_types(self, clean: Atoms, time_B: Tensor, draws: Draws) -> Tensor:
        """Return types (B, N) of which a fraction κ(t) is kept, the rest drawn from the prior."""
        if self.types_given:
            return clean.types_BN
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

    def start(self, mask_BN: Tensor, draws: Draws, types_BN: Tensor | None = None) -> Atoms:
        """Return the atoms at the first time: the noise that the path begins with."""
        scale = self.signal_and_noise(self.times()[0])[1].to(mask_BN.device)
        if types_BN is None:
            types_BN = self.draw_types(mask_BN, draws)
        nowhere = torch.zeros(*mask_BN.shape, 3, device=mask_BN.device)
        base_BS3 = self.geometry.base("start", mask_BN, draws)
        scale = self.geometry.by_row(torch.ones_like(scale), scale, mask_BN)
        return self.geometry.at(scale * base_BS3, Atoms(nowhere, types_BN, mask_BN))

    def follow_flow(self, interval: Interval) -> Tensor:
        """Return the state (B, S, 3) at the end of an interval by the solver of the ODE."""
        atoms, now, then = interval.atoms, interval.now, interval.then
        here_BS3 = self.geometry.state(atoms)
        start_BS3 = self.velocity(atoms, interval.clean, now)
        rows_BS = self.geometry.rows(atoms.mask_BN)

        def rate(state_BS3: Tensor, time: Tensor) -> Tensor:
            there = self.geometry.at(state_BS3, atoms)
            return self.velocity(there, interval.look(there, time), time)

        def norm(errors_BS3: Tensor) -> Tensor:
            # The worst system decides, so that none is less exact in other company.
            return atom_mean(errors_BS3.square().mean(-1), rows_BS).max().sqrt()

        if self.solver == "euler":
            return samplers.euler(here_BS3, start_BS3, now, then)
        if self.solver == "heun":
            return samplers.heun(here_BS3, start_BS3, now, then, rate)
        return samplers.rk45(here_BS3, start_BS3, now, then, rate, self.tolerance, norm)

    def seen(self, atoms: Atoms, clean: Prediction) -> tuple[Tensor, Tensor]:
        """Return the states (B, S, 3) of a point, and of the data that is predicted next to it."""
        return self.geometry.state(atoms), self.geometry.end(clean, atoms)

    def sample(
        self,
        network: Network,
        mask_BN: Tensor,
        record_ids: Tensor,
        seed: int,
        watch: Callable[[float], None],
        condition_on_itself: bool = True,
        types_BN: Tensor | None = None,
    ) -> Sample:
        """Return one sample for every row of the mask; `watch` hears the fraction done.

        `condition_on_itself` is for networks that were trained so; `types_BN` is what is known
        where `types_given`. A sample depends on its record id and the seed, not on the batch that
        it shares (under rk45: but for its tolerance). At the end of the last interval stands what
        the network predicts at its beginning.

        Raises:
            TrainingError: rk45 cannot follow the network's velocity.
        """
        atoms = self.start(mask_BN, Draws(seed, 0, record_ids), types_BN)
        times = self.times().to(mask_BN.device)
        look = _Looks(self, network, condition_on_itself)
        for step, (now, then) in enumerate(pairwise(times), start=1):
            clean = look(atoms, now)
            if step == self.steps:
                types_BN = clean.type_logits_BNK.argmax(-1) * mask_BN
                types_BN = atoms.types_BN if self.types_given else types_BN
                atoms = Atoms(clean.positions_BN3, types_BN, mask_BN, clean.cell_B6)
            else:
                draws = Draws(seed, step, record_ids)
                types_BN = atoms.types_BN
                if not self.types_given:
                    types_BN = self.jump_types(atoms, clean, now, then, draws)
                state_BS3 = self.advance(Interval(atoms, clean, now, then, draws, look))
                atoms = replace(self.geometry.at(state_BS3, atoms), types_BN=types_BN)
            look.enter_next_interval()
            watch(step / self.steps)
        return Sample(
            atoms.positions_BN3, atoms.types_BN, mask_BN, atoms.cell_B6, evaluations=look.count
        )


class _Looks:
    """A network as a sampler sees it: counted, and conditioned on itself from one interval on."""

    def __init__(self, process: GenerativeProcess, network: Network, on_itself: bool) -> None:
        self.process, self.network, self.on_itself = process, network, on_itself
        self.count = 0
        self.before: Prediction | None = None
        self.latest: Prediction | None = None

    def __call__(self, atoms: Atoms, time: Tensor) -> Prediction:
        self.count += 1
        time_B = time.expand(len(atoms.mask_BN))
        self.latest = self.process.predict(self.network, atoms, time_B, self.before)
        return self.latest

    def enter_next_interval(self) -> None:
        self.before = self.latest if self.on_itself else None


def atom_mean(values_BN: Tensor, mask_BN: Tensor) -> Tensor:
    """Return (B,) the mean over the atoms of each molecule."""
    return (values_BN * mask_BN).sum(1) / mask_BN.sum(1)
