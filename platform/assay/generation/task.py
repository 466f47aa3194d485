"""The generation family: a denoiser and a process, trained on molecules or crystals.

It is judged by its samples. Shapes: B systems, N atoms (padded), K types.
"""

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from assay import catalog
from assay.cell import Cell
from assay.chemistry.crystals import Crystals
from assay.chemistry.molecules import Molecules
from assay.errors import ConfigError
from assay.generation.catalog import CRYSTAL_PROTOCOLS, MOLECULE_PROTOCOLS
from assay.generation.denoiser import Denoiser, Interface, Prediction
from assay.generation.domain import DOMAINS, CrystalDomain, Drawn
from assay.generation.metrics import cdvae, csp
from assay.generation.processes.process import GenerativeProcess, PathPoint
from assay.generation.settings import (
    CrystalSettings,
    GenerationSettings,
    architecture,
    generation_settings,
    process,
)
from assay.store import sets
from assay.task import Batch, Estimate, Loss, Progress, Splits, Stage, Task
from assay.training.draws import Draws, fold

SAMPLING_BATCH = 128


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
        domain = DOMAINS[kind]
        self.domain = domain(prepared, self.chosen.coordinate_unit_angstrom)
        self.process = self._process()
        self.samples: Any = None

    @classmethod
    def protocol_of(cls, cell: Mapping[str, Any]) -> str:
        """Return EDM's version for molecules; for crystals CDVAE's, or that of prediction."""
        if cell["settings"].get("crystals", {}).get("given") == "composition":
            return f"csp {csp.VERSION} (cdvae {cdvae.VERSION})"
        crystals = sets.kind_of(cell["data"]["name"]) == "crystals"
        target = CRYSTAL_PROTOCOLS["cdvae"] if crystals else MOLECULE_PROTOCOLS["edm"]
        protocol = catalog.load(target)
        return f"{protocol.name} {protocol.version}"

    @classmethod
    def reference_split(cls, cell: Mapping[str, Any]) -> str:
        """Return the split of the protocol's data row; of predictions, that of the targets."""
        crystals = sets.kind_of(cell["data"]["name"]) == "crystals"
        predicted = cell["settings"].get("crystals", {}).get("given") == "composition"
        return cdvae.CDVAE.data_row if crystals and not predicted else "test"

    @classmethod
    def settings(cls, variant: Mapping[str, str], given: Mapping[str, Any]) -> GenerationSettings:
        """Validate the family's part of a cell."""
        return generation_settings(variant, given)

    def stages(self) -> Sequence[Stage]:
        """Return the one stage."""
        return (Stage("train"),)

    def data(self) -> Splits:
        """Return the data set's splits."""
        return self.domain.splits()

    def model(self, data: Splits) -> Denoiser:
        """Return the denoiser with the heads that the process needs."""
        network = architecture(self.cell.variant["architecture"])
        interface = Interface(self.domain.space, tuple(self.process.heads))
        return network(self.chosen.network, interface)

    def workload(self, batch: Batch, step: int) -> Hashable:
        """Return whether the step has a first pass, and the padded shape."""
        types_BN = cast(Any, batch).types_BN
        return (self._conditions_on_itself(step), *types_BN.shape)

    def loss(self, model: nn.Module, batch: Batch, stage: Stage, step: int) -> Loss:
        """Return the process's loss at one random point of each system's path."""
        draws = Draws(fold(self.cell.seed, "train"), step, batch.record_ids)
        return self._loss(cast(Denoiser, model), batch, draws, self._conditions_on_itself(step))

    def validate(self, model: nn.Module, data: Splits, stage: Stage) -> dict[str, float]:
        """Return the loss on the same records, times and noise at every call."""
        count = min(self.chosen.validation_molecules, len(data.validation))
        device = next(model.parameters()).device
        totals: dict[str, float] = {}
        for indices in np.array_split(np.arange(count), -(-count // SAMPLING_BATCH)):
            batch = data.validation.batch(indices).to(device)
            draws = Draws(fold(self.cell.seed, "validate"), 0, batch.record_ids)
            with torch.no_grad():
                loss = self._loss(cast(Denoiser, model), batch, draws, False)
            for name, value in {"loss": loss.total, **loss.parts}.items():
                totals[name] = totals.get(name, 0.0) + float(value) * len(indices) / count
        return totals

    def evaluate(self, model: nn.Module, data: Splits, progress: Progress) -> dict[str, Estimate]:
        """Return the protocol on fresh samples, or on predictions of the test split."""
        self.samples = self.sample(model, self.chosen.evaluation_samples, progress)
        targets = self._targets()
        if targets is None:
            return self.domain.evaluate(self.samples)
        return csp.evaluate(self.samples, targets)

    def evaluation_passes(self) -> float:
        """Return the passes of sampling (rk45: at least), over those of a loss: one, or two."""
        sampling = self.chosen.evaluation_samples * self.process.evaluations
        return sampling / (1 + self.chosen.self_conditioning)

    def reference(self, data: Splits) -> dict[str, Estimate]:
        """Return the protocol on real data that no cell was trained on; of itself, if predicted."""
        targets = self._targets()
        if targets is not None:
            return csp.evaluate(targets, targets)
        return self.domain.data_row(self.chosen.evaluation_samples)

    def artifacts(self, model: nn.Module, data: Splits, directory: Path) -> None:
        """Write the evaluated samples as `samples.npz`, to be scored by others."""
        if self.samples is not None:
            self.domain.write(directory / "samples.npz", self.samples)

    def sample(self, model: nn.Module, count: int, progress: Progress) -> Molecules | Crystals:
        """Return `count` systems in Å, with sizes drawn from the training set's histogram.

        In structure prediction, one of each target instead, of at most `count`.
        """
        device = next(model.parameters()).device
        targets = self._targets()
        ids = torch.arange(count if targets is None else len(targets))
        draws = Draws(fold(self.cell.seed, "sizes"), 0, ids)
        n_atoms = self.domain.draw_sizes(count, draws) if targets is None else targets.n_atoms
        order = np.argsort(n_atoms, kind="stable")
        batches = np.array_split(order, -(-len(ids) // SAMPLING_BATCH))
        drawn: list[Drawn] = []
        for number, chosen in enumerate(batches):
            N = int(n_atoms[chosen].max())
            mask_BN = torch.arange(N)[None, :] < torch.as_tensor(n_atoms[chosen])[:, None]
            types_BN = None
            if isinstance(self.domain, CrystalDomain) and targets is not None:
                types_BN = self.domain.types(targets, chosen).to(device)
            with torch.no_grad():
                atoms = self.process.sample(
                    cast(Denoiser, model),
                    mask_BN.to(device),
                    ids[chosen].to(device),
                    fold(self.cell.seed, "sample"),
                    lambda done, begin=number: progress("sample", (begin + done) / len(batches)),
                    condition_on_itself=self.chosen.self_conditioning > 0,
                    types_BN=types_BN,
                )
            drawn.append(Drawn(chosen, atoms.to(torch.device("cpu"))))
        return self.domain.samples(drawn, n_atoms)

    def _targets(self) -> Crystals | None:
        """Return what is to be predicted, where compositions are given."""
        if not isinstance(self.domain, CrystalDomain) or not self.process.types_given:
            return None
        return self.domain.targets(self.chosen.evaluation_samples)

    def _loss(self, model: Denoiser, batch: Batch, draws: Draws, on_itself: bool) -> Loss:
        equivariant = architecture(self.cell.variant["architecture"]).equivariant
        with torch.autocast(batch.record_ids.device.type, enabled=False):  # data stays exact
            point = self.process.path(self.domain.clean(batch, draws, equivariant), draws)
        previous: Prediction | None = None
        if on_itself:
            with torch.no_grad():
                previous = self._predict(model, point, None).detach()
        parts_B = self.process.losses(self._predict(model, point, previous), point)
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

    def _predict(
        self, model: Denoiser, point: PathPoint, previous: Prediction | None
    ) -> Prediction:
        return self.process.predict(model, point.atoms, point.time_B, previous)

    def _conditions_on_itself(self, step: int) -> bool:
        nobody = torch.zeros(1, dtype=torch.int64)
        draws = Draws(fold(self.cell.seed, "self_conditioning"), step, nobody)
        return draws.coin("first pass", self.chosen.self_conditioning)

    def _process(self) -> GenerativeProcess:
        domain, settings = self.domain, self.chosen.process
        if isinstance(domain, CrystalDomain):
            path = getattr(settings, "path", "linear")
            if path != "linear":
                raise ConfigError(
                    f"process.path {path}: on a torus the way from noise to data is a straight "
                    f"line; for {self.cell.data.name} leave process.path out"
                )
            if getattr(settings, "coupling", None) == "rotation":
                raise ConfigError(
                    "process.coupling rotation: a crystal's cell has no orientation; use "
                    "permutation, equivariant or independent"
                )
            if getattr(settings, "interpolant", "two_sided") == "one_sided":
                raise ConfigError(
                    "process.interpolant one_sided: needs a Gaussian base, and that of a crystal's "
                    "coordinates is uniform; leave it out"
                )
        elif self.chosen.crystals != CrystalSettings():
            raise ConfigError(
                f"settings.crystals: {self.cell.data.name} holds molecules; leave it out"
            )
        make = process(self.cell.variant["process"])
        made = make(settings, domain.prior_K, domain.geometry)
        made.types_given = self.chosen.crystals.given == "composition"
        return made
