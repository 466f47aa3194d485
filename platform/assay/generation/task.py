"""The generation family: a denoiser and a process, trained on molecules, judged by their samples.

Shapes: B molecules, N atoms (padded), K types.
"""

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from assay.cell import Cell
from assay.chemistry.molecules import Molecules
from assay.chemistry.npz import write_npz
from assay.generation.data.molecules import (
    VOCABULARY,
    MoleculeBatch,
    holding_molecules,
    size_histogram,
    splits,
)
from assay.generation.denoiser import Atoms, Denoiser, Interface, Prediction
from assay.generation.metrics import edm
from assay.generation.metrics.known import known_smiles
from assay.generation.processes.process import GenerativeProcess, PathPoint
from assay.generation.settings import (
    GenerationSettings,
    architecture,
    generation_settings,
    process,
)
from assay.generation.space import FreeSpace
from assay.store import sets
from assay.task import Batch, Estimate, Loss, Progress, Splits, Stage, Task
from assay.training.draws import Draws, fold

SAMPLING_BATCH = 128


class GenerationTask(Task):
    """One cell of the grid."""

    protocol = f"edm {edm.VERSION}"

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self.chosen = cast(GenerationSettings, cell.settings)
        self.unit = self.chosen.coordinate_unit_angstrom
        self.prepared = holding_molecules(sets.open_set(cell.data.name))
        self.process = self._process()
        self.samples: Molecules | None = None

    @classmethod
    def settings(cls, variant: Mapping[str, str], given: Mapping[str, Any]) -> GenerationSettings:
        """Validate the family's part of a cell."""
        return generation_settings(variant, given)

    def stages(self) -> Sequence[Stage]:
        """Return the one stage."""
        return (Stage("train"),)

    def data(self) -> Splits:
        """Return the molecules' splits."""
        return splits(self.prepared)

    def model(self, data: Splits) -> Denoiser:
        """Return the denoiser with the heads that the process needs."""
        network = architecture(self.cell.variant["architecture"])
        return network(
            self.chosen.network, Interface(FreeSpace(len(VOCABULARY)), self.process.heads)
        )

    def workload(self, batch: Batch, step: int) -> Hashable:
        """Return whether the step has a first pass, and the padded shape."""
        return (self._conditions_on_itself(step), *cast(MoleculeBatch, batch).types_BN.shape)

    def loss(self, model: nn.Module, batch: Batch, stage: Stage, step: int) -> Loss:
        """Return the process's loss at one random point of each molecule's path."""
        draws = Draws(fold(self.cell.seed, "train"), step, batch.record_ids)
        molecules = cast(MoleculeBatch, batch)
        return self._loss(cast(Denoiser, model), molecules, draws, self._conditions_on_itself(step))

    def validate(self, model: nn.Module, data: Splits, stage: Stage) -> dict[str, float]:
        """Return the loss on the same molecules, times and noise at every call."""
        count = min(self.chosen.validation_molecules, len(data.validation))
        device = next(model.parameters()).device
        totals: dict[str, float] = {}
        for indices in np.array_split(np.arange(count), -(-count // SAMPLING_BATCH)):
            batch = cast(MoleculeBatch, data.validation.batch(indices).to(device))
            draws = Draws(fold(self.cell.seed, "validate"), 0, batch.record_ids)
            with torch.no_grad():
                loss = self._loss(cast(Denoiser, model), batch, draws, False)
            for name, value in {"loss": loss.total, **loss.parts}.items():
                totals[name] = totals.get(name, 0.0) + float(value) * len(indices) / count
        return totals

    def evaluate(self, model: nn.Module, data: Splits, progress: Progress) -> dict[str, Estimate]:
        """Return the EDM protocol on fresh samples."""
        self.samples = self.sample(model, self.chosen.evaluation_samples, progress)
        return edm.evaluate(self.samples, known_smiles(self.prepared, processes=1), processes=1)

    def evaluation_passes(self) -> float:
        """Return the passes of sampling, over those of a loss: one, or two on itself."""
        sampling = self.chosen.evaluation_samples * self.process.steps
        return sampling / (1 + self.chosen.self_conditioning)

    def reference(self, data: Splits) -> dict[str, Estimate]:
        """Return the protocol on the test split."""
        test = self.prepared.molecules_of("test")
        return edm.evaluate(test, known_smiles(self.prepared, processes=1), processes=1)

    def artifacts(self, model: nn.Module, data: Splits, directory: Path) -> None:
        """Write the evaluated samples as `samples.npz`, to be scored by others."""
        if self.samples is not None:
            write_npz(directory / "samples.npz", self.samples)

    def sample(self, model: nn.Module, count: int, progress: Progress) -> Molecules:
        """Return `count` molecules in Å, with sizes drawn from the training set's histogram."""
        device = next(model.parameters()).device
        sizes, probabilities = size_histogram(self.prepared)
        ids = torch.arange(count)
        draws = Draws(fold(self.cell.seed, "sizes"), 0, ids)
        rows = torch.as_tensor(probabilities, dtype=torch.float32).expand(count, -1)
        n_atoms = np.asarray(sizes)[draws.categorical("size", rows).numpy()]
        order = np.argsort(n_atoms, kind="stable")
        batches = np.array_split(order, -(-count // SAMPLING_BATCH))
        packed: list[tuple[np.ndarray, Tensor, Tensor]] = []
        for number, chosen in enumerate(batches):
            N = int(n_atoms[chosen].max())
            mask_BN = torch.arange(N)[None, :] < torch.as_tensor(n_atoms[chosen])[:, None]
            with torch.no_grad():
                atoms = self.process.sample(
                    cast(Denoiser, model),
                    mask_BN.to(device),
                    ids[chosen].to(device),
                    fold(self.cell.seed, "sample"),
                    lambda done, begin=number: progress("sample", (begin + done) / len(batches)),
                    condition_on_itself=self.chosen.self_conditioning > 0,
                )
            packed.append((chosen, atoms.positions_BN3.cpu(), atoms.types_BN.cpu()))
        return _to_molecules(packed, n_atoms, self.unit)

    def _loss(self, model: Denoiser, batch: MoleculeBatch, draws: Draws, on_itself: bool) -> Loss:
        point = self.process.path(self._clean(model, batch, draws), draws)
        previous: Prediction | None = None
        if on_itself:
            with torch.no_grad():
                previous = self._predict(model, point, None).detach()
        parts_B = self.process.losses(self._predict(model, point, previous), point)
        parts = {name: value_B.mean() for name, value_B in parts_B.items()}
        weights = {"types": self.chosen.type_weight}
        total = sum(
            (weights.get(name, 1.0) * value for name, value in parts.items()),
            start=torch.zeros((), device=batch.types_BN.device),
        )
        return Loss(total, parts)

    def _predict(
        self, model: Denoiser, point: PathPoint, previous: Prediction | None
    ) -> Prediction:
        return self.process.predict(model, point.atoms, point.time_B, previous)

    def _clean(self, model: Denoiser, batch: MoleculeBatch, draws: Draws) -> Atoms:
        positions_BN3 = batch.positions_BN3 / self.unit
        if not architecture(self.cell.variant["architecture"]).equivariant:
            positions_BN3 = positions_BN3 @ draws.rotation("rotation")
        return Atoms(positions_BN3, batch.types_BN, batch.mask_BN)

    def _conditions_on_itself(self, step: int) -> bool:
        nobody = torch.zeros(1, dtype=torch.int64)
        draws = Draws(fold(self.cell.seed, "self_conditioning"), step, nobody)
        return draws.coin("first pass", self.chosen.self_conditioning)

    def _process(self) -> GenerativeProcess:
        counts = self.prepared.train_number_counts[list(VOCABULARY)] + 1.0
        prior_K = torch.as_tensor(counts / counts.sum(), dtype=torch.float32)
        return process(self.cell.variant["process"])(self.chosen.process, prior_K)


def _to_molecules(
    batches: list[tuple[np.ndarray, Tensor, Tensor]], n_atoms: np.ndarray, unit: float
) -> Molecules:
    """Put samples that were made in batches of like sizes back in their order, in Å."""
    order = np.concatenate([chosen for chosen, _, _ in batches])
    positions, numbers = [], []
    for chosen, positions_BN3, types_BN in batches:
        mask_BN = np.arange(types_BN.shape[1])[None, :] < n_atoms[chosen][:, None]
        positions.append(positions_BN3.numpy()[mask_BN] * unit)
        numbers.append(np.asarray(VOCABULARY, dtype=np.uint8)[types_BN.numpy()[mask_BN]])
    sampled = Molecules(
        np.concatenate(positions).astype(np.float32),
        np.concatenate(numbers),
        n_atoms[order].astype(np.int64),
    )
    return sampled.select(np.argsort(order))
