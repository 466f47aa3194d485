"""The model of planets: encoders, a fusion, heads, and the four losses; and experts before them.

It is called by `model(batch, draws, step, negatives)` in training and in evaluation alike, and by
`alone=True` where experts are trained; every draw comes from `Draws`, and no planet depends on the
others of its batch.

Shapes: B planets, N negatives, M modalities, D width.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol, cast

import torch
from torch import Tensor, nn

from assay.habitability.data.batches import MultiModalBatch
from assay.habitability.data.modalities import MODALITIES, Modality
from assay.habitability.encoded import Encoded
from assay.habitability.encoders.cube import CubeEncoder
from assay.habitability.encoders.encoder import Encoder, Tokens
from assay.habitability.encoders.graph import GraphEncoder
from assay.habitability.encoders.language import LanguageEncoder
from assay.habitability.encoders.params import ParameterEncoder
from assay.habitability.encoders.spectrum import SpectrumEncoder
from assay.habitability.encoders.text import TextEncoder
from assay.habitability.experts import Expert
from assay.habitability.fusions.fusion import Fusion
from assay.habitability.heads import Foretold, Heads, Told
from assay.habitability.losses import classification, consistency, physics, reconstruction
from assay.habitability.model_settings import ModelSettings
from assay.habitability.targets import Averages, aims
from assay.pathways.corpus import Corpus
from assay.store.language_models import ADAPTER
from assay.training.balancing.catalog import balance_of
from assay.training.draws import Draws
from assay.training.fixed import PartlyFixed

SHARED_WIDTH = 32
"""Of the space in which modalities are compared."""
CLIMATE = "climate_cubes"
LANGUAGE = "encoders.text_descriptions.language."


class Predictor(Protocol):
    """What evaluation asks of a model, and of a floor that learns nothing."""

    def encode(self, batch: MultiModalBatch) -> Encoded:
        """Return what is read of a batch."""
        ...

    def foretell(self, encoded: Encoded) -> Foretold:
        """Return habitability alone, by what is present."""
        ...

    def tell(self, encoded: Encoded) -> Told:
        """Return everything that is told, by what is present."""
        ...


@dataclass(frozen=True)
class Negatives:
    """Other planets that those of a batch are to be told from."""

    batch: MultiModalBatch
    """N of them."""
    alike_BN: Tensor
    """bool: who is no negative of whom."""


class Outcome(NamedTuple):
    """What a model says of a batch, in training and in evaluation.

    A tuple, in which FSDP2 finds the tensors that a backward pass begins at.
    """

    total: Tensor
    """() what is minimised."""
    losses: Mapping[str, Tensor]
    """() each of the four, not weighted; of one modality there may be no consistency. Of experts
    `experts/<modality>`, which are added up."""
    parts: Mapping[str, Tensor]
    """() each, `<loss>/<part>`, of which losses are made; of experts below their modality."""
    weights: Mapping[str, Tensor]
    """() each, by the names of `losses`; experts have none, who share nothing."""


class HabitabilityModel(PartlyFixed):
    """Reads the modalities of its fusion; of a language model only the adapters learn."""

    spread_C: Tensor
    called_beside_forward: ClassVar[tuple[str, ...]] = ("encode", "foretell", "tell", "alone")

    def __init__(
        self,
        settings: ModelSettings,
        fusion: type[Fusion],
        corpus: Corpus,
        averages: Averages,
        seed: int,
    ) -> None:
        """Build it; torch's generator has been seeded.

        Args:
            settings: Of the fusion.
            fusion: Says which modalities are read.
            corpus: The compounds, and figures of the training networks.
            averages: Of the training planets.
            seed: Of the cell, for what draws weights of losses.
        """
        super().__init__()
        self.settings, self.corpus = settings, corpus
        D = settings.width
        # The text, of varying length, comes last: see `Encoded.joined`.
        reads = sorted(fusion.reads, key=lambda name: name == "text_descriptions")
        self.encoders = nn.ModuleDict({name: encoder(name, settings, corpus) for name in reads})
        self.fusion = fusion(settings)
        self.heads = Heads(D, averages)
        self.contrast = None
        if len(reads) > 1:
            self.contrast = nn.ModuleList(nn.Linear(D, SHARED_WIDTH) for _ in MODALITIES)
        self.climate = nn.Linear(D, len(averages.environment_4)) if CLIMATE in reads else None
        self.register_buffer("spread_C", averages.spread_C)
        weights = settings.weights.model_dump()
        if self.contrast is None and self.climate is None:
            del weights["consistency"]  # there is nothing to be consistent with
        self.balance = balance_of(settings.balancing, weights, seed)
        self.experts = nn.ModuleDict()
        if settings.schedule is not None and settings.schedule.experts:
            for name in reads:
                self.experts[name] = Expert(name, settings, averages)

    def forward(
        self,
        batch: MultiModalBatch,
        draws: Draws,
        step: int | None,
        negatives: Negatives | None,
        alone: bool = False,
    ) -> Outcome:
        """Return the losses of a batch.

        Args:
            batch: Planets.
            draws: One stream a planet.
            step: Of training, in which modalities are hidden; None in evaluation.
            negatives: For the contrast; None where one modality is read, or each alone.
            alone: Let each modality's expert tell of it, and nobody join them.
        """
        if alone:
            return self._by_experts(batch, draws, step)
        encoded = self._encoded(batch)
        kept = encoded if step is None else self._thinned(encoded, draws)
        told = self.heads(self.fusion(kept))
        parts = {
            "classification": self._classification(told, batch),
            "reconstruction": self._reconstruction(told, aims(batch, self.corpus), batch),
            "physics": self._physics(told, batch),
            "consistency": self._consistency(encoded, batch, negatives),
        }
        if "bio_graphs" in self.encoders:
            graph = cast(GraphEncoder, self.encoders["bio_graphs"])
            own, degree = graph.losses(batch, draws, step)
            parts["reconstruction"]["graph_vae"], parts["physics"]["degree"] = own, degree
        losses = {name: self._whole(name, found) for name, found in parts.items() if found}
        total, weights = self.balance(losses, self.shared, step, len(batch))
        named = {f"{name}/{key}": v for name, each in parts.items() for key, v in each.items()}
        return Outcome(total, losses, named, weights)

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next(self.parameters()).device

    @property
    def shared(self) -> list[nn.Parameter]:
        """The parameters that several losses pull at: of encoders and fusion."""
        return [
            parameter
            for name, parameter in self.named_parameters()
            if name.startswith(("encoders.", "fusion.")) and ".vae.decoder." not in name
        ]

    def is_fixed(self, name: str) -> bool:
        """Say whether a parameter or buffer belongs to a language model itself."""
        return name.startswith(LANGUAGE) and ADAPTER not in name

    def encode(self, batch: MultiModalBatch) -> Encoded:
        """Return the tokens of the modalities that are read."""
        return self._encoded(batch)

    def foretell(self, encoded: Encoded) -> Foretold:
        """Return habitability alone, by what is present."""
        return self.heads.habitability(self.fusion(encoded))

    def tell(self, encoded: Encoded) -> Told:
        """Return everything that is told, by what is present."""
        return self.heads(self.fusion(encoded))

    def alone(self, batch: MultiModalBatch) -> dict[Modality, Told]:
        """Return what each expert tells of a batch by its modality."""
        return self._alone(batch)

    def _alone(self, batch: MultiModalBatch) -> dict[Modality, Told]:
        found: dict[Modality, Told] = {}
        for each, expert in self.experts.items():
            name = cast(Modality, each)
            found[name] = expert(Encoded.of({name: self.encoders[name](batch)}, batch.presence))
        return found

    def _by_experts(self, batch: MultiModalBatch, draws: Draws, step: int | None) -> Outcome:
        """Return what experts minimise: of the four losses two, by their given weights.

        An expert shares no parameter with another, so that there is nothing to balance.
        """
        aim, losses, named = aims(batch, self.corpus), dict[str, Tensor](), dict[str, Tensor]()
        for modality, told in self._alone(batch).items():
            parts = {
                "classification": self._classification(told, batch),
                "reconstruction": self._reconstruction(told, aim, batch),
            }
            if modality == "bio_graphs":
                own, degree = cast(GraphEncoder, self.encoders[modality]).losses(batch, draws, step)
                parts["reconstruction"]["graph_vae"] = own + degree
            weighted = [
                getattr(self.settings.weights, name) * self._whole(name, found)
                for name, found in parts.items()
            ]
            losses[f"experts/{modality}"] = torch.stack(weighted).sum()
            for name, found in parts.items():
                named |= {f"experts/{modality}/{name}/{key}": v for key, v in found.items()}
        return Outcome(torch.stack(list(losses.values())).sum(), losses, named, {})

    def _encoded(self, batch: MultiModalBatch) -> Encoded:
        tokens: dict[Modality, Tokens] = {
            cast(Modality, name): read(batch) for name, read in self.encoders.items()
        }
        return Encoded.of(tokens, batch.presence)

    def _thinned(self, encoded: Encoded, draws: Draws) -> Encoded:
        """Hide modalities at random; where none would be left, hide none."""
        drawn_BM = draws.uniform("modalities", len(MODALITIES))
        thinner = encoded.keeping(drawn_BM >= self.settings.modality_dropout)
        some_B1 = thinner.presence_BM.any(1, keepdim=True)
        return encoded.keeping(thinner.presence_BM | ~some_B1)

    def _classification(self, told: Told, batch: MultiModalBatch) -> dict[str, Tensor]:
        return {
            "habitability": classification.habitability(told.habitability, batch),
            "liquid_water": classification.liquid_water(told.liquid_water_B, batch),
            "environment": classification.environment(told.environment_B4, batch),
        }

    def _reconstruction(
        self, told: Told, aim: Mapping[Modality, Tensor], batch: MultiModalBatch
    ) -> dict[str, Tensor]:
        found = reconstruction.errors(told.modalities, aim, self.spread_C)
        return {**reconstruction.losses(found, batch)}

    def _physics(self, told: Told, batch: MultiModalBatch) -> dict[str, Tensor]:
        cubes_BVJLM = told.modalities[CLIMATE]
        return {
            "energy": physics.energy(cubes_BVJLM),
            "bounds": physics.bounds(cubes_BVJLM),
            "hydrostatics": physics.hydrostatics(cubes_BVJLM, batch),
        }

    def _consistency(
        self, encoded: Encoded, batch: MultiModalBatch, negatives: Negatives | None
    ) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        if self.contrast is not None:
            assert negatives is not None, "a contrast needs negatives"
            # First with a gradient: under autocast a cast that is made without one may be kept.
            own_BMC = self._compared(encoded)
            with torch.no_grad():
                other = self._encoded(negatives.batch)
                other_NMC = self._compared(other)
            found["contrast"] = consistency.contrast(
                own_BMC, encoded.presence_BM, other_NMC, other.presence_BM,
                negatives.alike_BN, self.settings.temperature,
            )  # fmt: skip
        if self.climate is not None:
            told_B4 = self.climate(encoded.pooled()[:, MODALITIES.index(CLIMATE)]).float()
            found["environment"] = classification.environment_from_climate(told_B4, batch)
        return found

    def _compared(self, encoded: Encoded) -> Tensor:
        """Return (B, M, C): modalities where they are compared."""
        maps, x_BMD = cast(nn.ModuleList, self.contrast), encoded.pooled()
        return torch.stack([each(x_BMD[:, m]) for m, each in enumerate(maps)], 1)

    def _whole(self, name: str, parts: Mapping[str, Tensor]) -> Tensor:
        """Return a loss of its parts: their mean; what is auxiliary counts less."""
        if name != "classification":
            return torch.stack(list(parts.values())).mean()
        beside = parts["liquid_water"] + parts["environment"]
        return parts["habitability"] + self.settings.auxiliary * beside


def encoder(name: Modality, settings: ModelSettings, corpus: Corpus) -> Encoder:
    """Return the encoder of a modality."""
    if name == "bio_graphs":
        return GraphEncoder(settings.graph, corpus, settings.width)
    if name == "text_descriptions" and settings.language_model is not None:
        return LanguageEncoder(settings)
    if name == "text_descriptions":
        return TextEncoder(settings.width, settings.depth, settings.heads)
    plain = {
        "climate_cubes": CubeEncoder,
        "spectra": SpectrumEncoder,
        "planet_params": ParameterEncoder,
    }
    return plain[name](settings.width)
