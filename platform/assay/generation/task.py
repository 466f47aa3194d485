"""The generation family: a denoiser and a process, trained on molecules or crystals.

It is judged by its samples. Shapes: B systems, N atoms (padded), K types.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from assay import catalog
from assay.cell import Cell
from assay.chemistry.crystals import Crystals
from assay.chemistry.molecules import Molecules
from assay.errors import ConfigError, DataError
from assay.generation import held_out, symmetry
from assay.generation.agreement import require_agreement, require_torus
from assay.generation.catalog import CRYSTAL_PROTOCOLS, MOLECULE_PROTOCOLS
from assay.generation.conditioning import Asking, Conditioning, versions
from assay.generation.denoiser import Conditions, Denoiser, Interface
from assay.generation.distributions import FILE
from assay.generation.domain import DOMAINS, CrystalDomain, MoleculeDomain, whole
from assay.generation.metrics import cdvae, csp
from assay.generation.metrics.protocol import sub_sample
from assay.generation.processes.process import GenerativeProcess
from assay.generation.sampling import SAMPLING_BATCH, Wanted, draw
from assay.generation.settings import (
    GenerationSettings,
    architecture,
    generation_settings,
    process,
)
from assay.generation.sources import (
    SourceBatch,
    SourceRecords,
    joint_space,
    shape_of,
    source_domain,
)
from assay.result import write_json
from assay.store import sets
from assay.task import Batch, Estimate, Loss, Progress, Records, Splits, Stage, Task
from assay.training.draws import Draws, fold
from assay.training.order import MixedRecords
from assay.training.subset import Subset, that_are_used

AnyDomain = MoleculeDomain | CrystalDomain


class GenerationTask(Task):
    """One cell of the grid."""

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self.chosen = cast(GenerationSettings, cell.settings)
        prepared = sets.open_set(cell.data.name)
        kind = sets.kind_of(cell.data.name)
        if kind not in DOMAINS:
            raise ConfigError(
                f"{cell.data.name}: holds no molecules in space and no crystals, but a {kind}; the "
                "generation family needs a set such as mini, qm9, mini_crystals or mp20"
            )
        unit, source = self.chosen.coordinate_unit_angstrom, self.chosen.source
        self.domain: AnyDomain = DOMAINS[kind](prepared, unit)
        self.source = source_domain(source, self.domain, unit) if source else None
        own, other = (isinstance(each, CrystalDomain) for each in (self.domain, self.source))
        require_agreement(self.chosen, cell.data.name, own_crystals=own, other_crystals=other)
        self.process = self._process(self.domain)
        self.source_process = self._process(self.source) if self.source else None
        conditions = self.chosen.conditions
        self.conditioning = Conditioning(conditions, self.domain) if conditions.properties else None
        self.samples: Any = None

    @classmethod
    def protocol_of(cls, cell: Mapping[str, Any]) -> str:
        """Return EDM's version for molecules; for crystals CDVAE's, or that of prediction.

        And those of the properties that are asked for.
        """
        asked = versions(cell["settings"].get("conditions", {}).get("properties", ()))
        if cell["settings"].get("crystals", {}).get("given") == "composition":
            found = f"csp {csp.VERSION} (cdvae {cdvae.VERSION})"
        else:
            crystals = sets.kind_of(cell["data"]["name"]) == "crystals"
            target = CRYSTAL_PROTOCOLS["cdvae"] if crystals else MOLECULE_PROTOCOLS["edm"]
            protocol = catalog.load(target)
            found = f"{protocol.name} {protocol.version}"
        found = f"{found}, held_out {held_out.VERSION}, symmetry {symmetry.VERSION}"
        return f"{found}, {asked}" if asked else found

    @classmethod
    def reference_split(cls, cell: Mapping[str, Any]) -> str:
        """Return the split of the protocol's data row; of predictions, that of the targets."""
        crystals = sets.kind_of(cell["data"]["name"]) == "crystals"
        predicted = cell["settings"].get("crystals", {}).get("given") == "composition"
        return cdvae.CDVAE.data_row if crystals and not predicted else "test"

    @classmethod
    def reference_records(cls, cell: Mapping[str, Any]) -> int | None:
        """Return all for the molecules' protocol; otherwise as many as a cell has samples."""
        asked = cell["settings"].get("conditions", {}).get("properties", ())
        if sets.kind_of(cell["data"]["name"]) == "crystals" or asked:
            return int(cell["settings"]["evaluation_samples"])
        return None

    @classmethod
    def settings(cls, variant: Mapping[str, str], given: Mapping[str, Any]) -> GenerationSettings:
        """Validate the family's part of a cell."""
        return generation_settings(variant, given)

    @classmethod
    def of_evaluation(cls, variant: Mapping[str, str]) -> frozenset[str]:
        """Return what only samples depend on."""
        fields = process(variant["process"]).Settings.of_sampling
        keys = {f"settings.process.{field}" for field in fields}
        return frozenset(keys | {"settings.conditions.guidance", "settings.evaluation_samples"})

    def stages(self) -> Sequence[Stage]:
        """Return the one stage, or that of the source and then that of the cell's own data."""
        source = self.chosen.source
        if source is None or self.source is None:
            return (Stage("train"),)
        records = SourceRecords(self.source.splits().train)
        if source.when == "before":
            before = Stage("source", source.share, records=records)
            return (before, Stage("train", 1 - source.share))
        own = that_are_used(self.data(), self.cell).train
        return (Stage("train", records=MixedRecords([records, own])),)

    def data(self) -> Splits:
        """Return the data set's splits, without what only a property's judge may learn from."""
        splits = self.domain.splits()
        if self.conditioning is None or not len(self.conditioning.held_out):
            return splits
        train = whole(self.domain.prepared).split_indices("train")
        kept = np.flatnonzero(~np.isin(train, self.conditioning.held_out))
        note = f"; {len(train) - len(kept):,} training records are left to a property's judge"
        return replace(
            splits, train=Subset(splits.train, kept), description=splits.description + note
        )

    def model(self, data: Splits) -> Denoiser:
        """Return the denoiser with the heads that the process needs, and its conditions."""
        network = architecture(self.cell.variant["architecture"])
        count = self.conditioning.count if self.conditioning else 0
        space = joint_space(self.domain, self.source) if self.source else self.domain.space
        interface = Interface(space, tuple(self.process.heads), count)
        return network(self.chosen.network, interface)

    def workload(self, batch: Batch, step: int) -> Hashable:
        """Return whether the step has a first pass, the kind of the batch, its padded shape."""
        return (self._conditions_on_itself(step), shape_of(batch))

    def loss(self, model: nn.Module, batch: Batch, stage: Stage, step: int) -> Loss:
        """Return the process's loss at one random point of each system's path."""
        draws = Draws(fold(self.cell.seed, "train"), step, batch.record_ids)
        conditions = self._known_of(batch)
        if self.conditioning is not None and conditions is not None:
            conditions = self.conditioning.dropped(conditions, draws)
        on_itself = self._conditions_on_itself(step)
        return self._loss(cast(Denoiser, model), batch, draws, conditions, on_itself)

    def validate(self, model: nn.Module, data: Splits, stage: Stage) -> dict[str, float]:
        """Return the loss on the same records, times and noise at every call."""
        places = _spread(data.validation, self.chosen.validation_molecules)
        device, count = next(model.parameters()).device, len(places)
        totals: dict[str, float] = {}
        for indices in np.array_split(places, -(-count // SAMPLING_BATCH)):
            batch = data.validation.batch(indices).to(device)
            draws = Draws(fold(self.cell.seed, "validate"), 0, batch.record_ids)
            asked = self._known_of(batch)
            with torch.no_grad():
                loss = self._loss(cast(Denoiser, model), batch, draws, asked, on_itself=False)
            for name, value in {"loss": loss.total, **loss.parts}.items():
                totals[name] = totals.get(name, 0.0) + float(value) * len(indices) / count
        return totals

    def evaluate(self, model: nn.Module, data: Splits, progress: Progress) -> dict[str, Estimate]:
        """Return the protocol on fresh samples, or on predictions of the test split.

        Where properties are asked for, as many samples are drawn again of which nothing is asked.
        """
        count = self.chosen.evaluation_samples
        records_M = self.targets(count)
        self.samples = self.sample(model, count, _part(progress, 0, self._drawings))
        found = self._score(self.samples, records_M)
        found |= self._held_out(model, data) | self._symmetry(model, data)
        if self.conditioning is None or records_M is None:
            return found
        open_ = self.sample(model, count, _part(progress, 1, self._drawings), asked=False)
        seed = fold(self.cell.seed, "judge")
        return {**found, **self.conditioning.controls(self.samples, open_, records_M, seed)}

    def evaluation_passes(self) -> float:
        """Return the passes of sampling (rk45: at least), over those of a loss: one, or two."""
        sampling = self.chosen.evaluation_samples * self.process.evaluations
        return sampling * (self._drawings + self.is_guided) / (1 + self.chosen.self_conditioning)

    def reference(self, data: Splits) -> dict[str, Estimate]:
        """Return the protocol on real data that no cell was trained on; of itself, if predicted.

        And how far properties as they are measured lie from those that are known.
        """
        count = self.chosen.evaluation_samples
        records_M = self.targets(count)
        if records_M is None:
            return self.domain.data_row(count)
        real = self.domain.records.select(records_M)
        if self.process.types_given:
            found = self._score(real, records_M)
        else:
            found = self.domain.data_row(count)
        if self.conditioning is None:
            return found
        seed = fold(self.cell.seed, "judge")
        return {**found, **self.conditioning.judge(real, records_M, seed)}

    def artifacts(self, model: nn.Module, data: Splits, directory: Path) -> None:
        """Write the evaluated samples as `samples.npz`, to be scored by others.

        And how their properties are distributed, for the report.
        """
        if self.samples is not None:
            self.domain.write(directory / "samples.npz", self.samples)
            write_json(directory / FILE, self.domain.distributions(self.samples))

    def sample(
        self, model: nn.Module, count: int, progress: Progress, asked: bool = True
    ) -> Molecules | Crystals:
        """Return `count` systems in Å, with sizes drawn from the training set's histogram.

        Where something is given, one for each of the `targets` instead, of its size; `asked` False
        leaves the properties open.
        """
        records_M = self.targets(count)
        if records_M is None:
            draws = Draws(fold(self.cell.seed, "sizes"), 0, torch.arange(count))
            wanted = Wanted(self.domain.draw_sizes(count, draws))
        else:
            real, conditions = self.domain.records.select(records_M), None
            if self.conditioning is not None and asked:
                conditions = self.conditioning.of(torch.from_numpy(records_M))
                conditions = conditions.to(next(model.parameters()).device)
            elements = real if self.process.types_given else None
            guidance = self.chosen.conditions.guidance
            wanted = Wanted(real.n_atoms, elements, conditions, guidance)
        return draw(
            wanted,
            cast(Denoiser, model),
            self.domain,
            self.process,
            fold(self.cell.seed, "sample"),
            self.chosen.self_conditioning > 0,
            progress,
        )

    def targets(self, count: int) -> NDArray[np.int64] | None:
        """Return the records of the test split whose elements or properties samples are given.

        At most `count`, ascending; None where samples are given nothing.

        Raises:
            DataError: there is none.
        """
        if self.conditioning is None and not self.process.types_given:
            return None
        records = self.domain.test_records()
        if self.conditioning is not None:
            records = records[self.conditioning.known(records)]
        if not len(records):
            raise DataError(
                f"{self.cell.data.name}: of no record of its test split is known what samples are "
                "to be given"
            )
        return records[sub_sample(len(records), count, seed=0)]

    @property
    def is_guided(self) -> bool:
        """Whether samples that are asked for something take two evaluations a look."""
        return self.conditioning is not None and self.chosen.conditions.guidance != 1

    @property
    def evaluations(self) -> int:
        """Of the network, a sample as it is drawn here; the least, if `evaluations_are_least`."""
        return self.process.evaluations * (1 + self.is_guided)

    @property
    def evaluations_are_least(self) -> bool:
        """Whether the solver takes as many more as its tolerance asks for."""
        return self.process.solver == "rk45"

    @property
    def _drawings(self) -> int:
        """Sets of samples that an evaluation draws."""
        return 1 if self.conditioning is None else 2

    def _score(
        self, samples: Molecules | Crystals, records_M: NDArray[np.int64] | None
    ) -> dict[str, Estimate]:
        if records_M is None or not self.process.types_given:
            return self.domain.evaluate(cast(Any, samples))
        targets = self.domain.records.select(records_M)
        return csp.evaluate(cast(Crystals, samples), cast(Crystals, targets))

    def _held_out(self, model: nn.Module, data: Splits) -> dict[str, Estimate]:
        """Return how well the network sees test and validation records through noise."""
        seed = fold(self.cell.seed, "held out")
        test_B = self._relative_errors(model, data.test, self.process, seed)
        validation_B = self._relative_errors(model, data.validation, self.process, seed)
        independent_B = test_B
        if self.process.coupling != "independent":
            free = self.process.uncoupled()
            independent_B = self._relative_errors(model, data.test, free, seed)
        return held_out.estimates(test_B, validation_B, independent_B, seed)

    def _relative_errors(
        self, model: nn.Module, records: Records, path: GenerativeProcess, seed: int
    ) -> Tensor:
        places, device = _spread(records, held_out.SYSTEMS), next(model.parameters()).device
        equivariant, errors = architecture(self.cell.variant["architecture"]).equivariant, []
        for indices in np.array_split(places, -(-len(places) // SAMPLING_BATCH)):
            batch = records.batch(indices).to(device)
            draws = Draws(seed, 0, batch.record_ids)
            network = Asking(cast(Denoiser, model), self._known_of(batch))
            clean = self.domain.clean(batch, draws, equivariant)
            errors.append(held_out.relative_errors(network, path, clean, draws))
        return torch.cat(errors)

    def _symmetry(self, model: nn.Module, data: Splits) -> dict[str, Estimate]:
        """Return how far the network is from symmetric, at random points of validation records."""
        places = _spread(data.validation, symmetry.SYSTEMS)
        count, device = len(places), next(model.parameters()).device
        batch = data.validation.batch(places).to(device)
        draws = Draws(fold(self.cell.seed, "symmetry"), 0, batch.record_ids)
        point = self.process.path(self.domain.clean(batch, draws, equivariant=True), draws)
        atoms, time_B = point.atoms, point.time_B
        if len(time_B) > count:  # of antithetic pairs, the first
            atoms, time_B = atoms.first(count), time_B[:count]
        asked = self._known_of(batch)
        error = symmetry.symmetry_error(cast(Denoiser, model), atoms, time_B, draws, asked)
        return symmetry.estimates(error, draws.seed)

    def _loss(
        self,
        model: Denoiser,
        batch: Batch,
        draws: Draws,
        conditions: Conditions | None,
        on_itself: bool,
    ) -> Loss:
        equivariant = architecture(self.cell.variant["architecture"]).equivariant
        domain, process = self.domain, self.process
        if isinstance(batch, SourceBatch) and self.source and self.source_process:
            domain, process, batch = self.source, self.source_process, batch.inner
        with torch.autocast(draws.record_ids.device.type, enabled=False):  # data stays exact
            point = process.path(domain.clean(batch, draws, equivariant), draws)
        if conditions is not None:
            conditions = conditions.repeated(len(point.time_B) // len(batch))
        network, previous = Asking(model, conditions), None
        if on_itself:
            with torch.no_grad():
                previous = process.predict(network, point.atoms, point.time_B, None).detach()
        clean = process.predict(network, point.atoms, point.time_B, previous)
        parts_B = process.losses(clean, point)
        parts = {name: value_B.mean() for name, value_B in parts_B.items()}
        cell_weight = self.chosen.crystals.cell_weight
        weights = {
            "types": self.chosen.type_weight, "cell": cell_weight, "cell_noise": cell_weight,
        }  # fmt: skip
        total = sum(
            (weights.get(name, 1.0) * value for name, value in parts.items()),
            start=torch.zeros((), device=point.time_B.device),
        )
        return Loss(total, parts)

    def _known_of(self, batch: Batch) -> Conditions | None:
        """Return what networks can be told of a batch."""
        if self.conditioning is None:
            return None
        if isinstance(batch, SourceBatch):
            return self.conditioning.of_source(len(batch)).to(batch.record_ids.device)
        return self.conditioning.of(batch.record_ids)

    def _conditions_on_itself(self, step: int) -> bool:
        nobody = torch.zeros(1, dtype=torch.int64)
        draws = Draws(fold(self.cell.seed, "self_conditioning"), step, nobody)
        return draws.coin("first pass", self.chosen.self_conditioning)

    def _process(self, domain: AnyDomain) -> GenerativeProcess:
        settings = self.chosen.process
        if isinstance(domain, CrystalDomain):
            require_torus(settings, domain.prepared.name)
        made = process(self.cell.variant["process"])(settings, domain.prior_K, domain.geometry)
        made.types_given = self.chosen.crystals.given == "composition"
        return made


def _spread(records: Records, most: int) -> NDArray[np.int64]:
    """Return at most `most` places all over a split, for every cell the same.

    Not its first: records lie in the order of their numbers, which often is that of their sizes.
    """
    return sub_sample(len(records), most, seed=0)


def _part(progress: Progress, part: int, parts: int) -> Progress:
    """Return the progress of one of several equal parts of the whole."""
    return lambda phase, done: progress(phase, (part + done) / parts)
