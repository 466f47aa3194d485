"""Speed of the architectures: what the formulation is worth, the share of the machine's rate, cost.

    python benchmarks/generation.py [formulation] [share] [compiled] [sampling] [cost]
                                    [--threads 2] [--figure cost.html]

JSON lines; all five questions without an argument. QM9 where ASSAY_DATA holds it, otherwise mini.

formulation  a training step of the GNN at EDM's width and depth, against the plain formulation
share        FLOP rate of a training step, as a share of what a matrix product reaches in the run
compiled     the same on one batch under torch.compile, as `training.compile: true` has it
sampling     seconds for 1,000 samples at 100 steps, size s
cost         seconds of a training step against atoms, batch and width

Times are the least of a few repeats that alternate between what is compared: CPU seconds with one
thread, which a busy machine changes least, wall seconds with more. fp32.
"""

import argparse
import json
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from assay.cell import load_suite
from assay.generation.architectures.features import pair_mask
from assay.generation.architectures.gnn import GNN
from assay.generation.catalog import ARCHITECTURES
from assay.generation.data.molecules import MoleculeBatch, MoleculeRecords
from assay.generation.denoiser import Atoms, Denoiser, Interface, Prediction
from assay.generation.processes.flow_matching import FlowMatching, FlowMatchingSettings
from assay.generation.processes.process import PathPoint
from assay.generation.settings import architecture
from assay.generation.space import FreeSpace
from assay.generation.task import GenerationTask
from assay.store import sets
from assay.store.locations import data_root
from assay.training.draws import Draws
from assay.training.execution import Execution, prepare_process
from assay.training.meter import measure_flops
from assay.training.order import BatchOrder

silu = nn.functional.silu
SUITE = Path(__file__).resolve().parents[1] / "sweeps" / "grid_mini.yaml"
PROCESS = FlowMatching(FlowMatchingSettings(), torch.full((5,), 0.2))
BATCH = 64
REPEATS = 3
TOLERANCE = 1e-5
SIDE, PRODUCTS = 1024, 8
POOL = 32
"""Batches that Assay sorts by size together."""
NETWORKS: Mapping[str, Mapping[str, int]] = {
    "gnn": {"width": 256, "depth": 9, "radial": 32},
    "transformer": {"width": 256, "depth": 12, "heads": 8, "radial": 32},
    "pairformer": {
        "width": 256, "pair_width": 64, "depth": 4, "heads": 8, "pair_heads": 4, "radial": 32,
    },
}  # fmt: skip
"""Of which the share of the machine's rate is measured; the GNN has EDM's width and depth."""

K = TypeVar("K")
Row = dict[str, Any]
Forward = Callable[[Atoms, Tensor, Prediction | None], Prediction]


def main(questions: Sequence[str], threads: int, figure: Path | None) -> None:
    """Answer the questions."""
    name = "qm9" if data_root() is not None else "mini"
    sets.prepare(name)
    records = MoleculeRecords(sets.open_packed(name), "train")
    prepare_process(Execution(threads=threads))
    answers: dict[str, Callable[[], Iterator[Row]]] = {
        "formulation": lambda: formulation(records),
        "share": lambda: share(records),
        "compiled": lambda: share(records, compiled=True),
        "sampling": lambda: sampling(name),
        "cost": lambda: cost(figure),
    }
    machine = {"processor": processor(), "threads": threads, "torch": torch.__version__}
    show({**machine, "data": name})
    for question in questions or answers:
        if question not in answers:
            raise SystemExit(f"no question {question!r}; there are {', '.join(answers)}")
        for row in answers[question]():
            show({"question": question, **row})


def formulation(records: MoleculeRecords) -> Iterator[Row]:
    """Compare the GNN with the formulation that EDM's code has, and with what lies in between.

    EDM draws a batch at random and pads it to its largest molecule; Assay trains on batches of like
    sizes. Each kind stands for an epoch by batches at even quantiles of their cost.
    """
    network = cast(GNN, denoiser("gnn", NETWORKS["gnn"]))
    kinds = {
        "random": [point_of(batch) for batch in random_batches(records, 3)],
        "of like sizes": [point_of(batch) for batch in training_batches(records, 5)],
    }
    plain = Plain(network, split=False)
    forwards: dict[str, Forward] = {
        "plain": plain, "split": Plain(network, split=True), "Assay": network
    }  # fmt: skip
    every = [point for points in kinds.values() for point in points]
    off = {
        name: max(difference(forward, plain, point) for point in every)
        for name, forward in forwards.items()
    }
    if max(off.values()) > TOLERANCE:
        raise SystemExit(f"formulations differ by more than {TOLERANCE}: {off}")
    steps = {
        (name, kind): [step_of(forward, network, point) for point in points]
        for name, forward in forwards.items()
        for kind, points in kinds.items()
    }
    measured = measure(steps)
    slowest = measured["plain", "random"].seconds / len(kinds["random"])
    for (name, kind), of in measured.items():
        seconds = of.seconds / len(kinds[kind])
        yield {
            "formulation": name,
            "batches": kind,
            "pairs_of_a_molecule": round(mean_pairs(kinds[kind])),
            "molecules_per_second": round(BATCH / seconds, 1),
            "times_faster_than_plain": round(slowest / seconds, 2),
            "largest_difference": off[name],
            **of.row(),
        }


def share(records: MoleculeRecords, compiled: bool = False) -> Iterator[Row]:
    """Measure training steps on the batches that training makes; compiled, on one of them."""
    points = [point_of(batch) for batch in training_batches(records, 1 if compiled else 5)]
    for name, given in NETWORKS.items():
        network = denoiser(name, given)
        forward = cast(Forward, torch.compile(network)) if compiled else network
        steps = {name: [step_of(forward, network, point) for point in points]}
        eager = {name: [step_of(network, network, point) for point in points]}
        of = measure(steps, counted=eager)[name]
        yield {
            "architecture": name,
            "parameters": parameters(network),
            **of.row(),
            "molecules_per_second": round(BATCH * len(points) / of.seconds),
        }


def sampling(data: str) -> Iterator[Row]:
    """Draw 1,000 samples at 100 steps by networks of size s that have learnt nothing."""
    given = (
        f"data={data}",
        "settings={network: {size: s}, process: {steps: 100}}",
        "grid={architecture: [gnn, transformer, pairformer], process: [flow_matching]}",
        "rules=[]",
    )
    for cell in load_suite(SUITE, given).cells(sets.open_set(data).digest):
        task = GenerationTask(cell)
        torch.manual_seed(0)
        network = task.model(task.data())
        begin = time.perf_counter()
        samples = task.sample(network, 1000, lambda phase, done: None)
        yield {
            "architecture": cell.variant["architecture"],
            "parameters": parameters(network),
            "samples": len(samples),
            "seconds": round(time.perf_counter() - begin, 1),
        }


def cost(figure: Path | None) -> Iterator[Row]:
    """Vary atoms, batch and width one at a time, from 18 atoms, 64 molecules, width 128."""
    trials = [("atoms", n, 64, 128) for n in (6, 9, 12, 18, 27, 40, 60)]
    trials += [("batch", 18, count, 128) for count in (4, 16, 64, 256)]
    trials += [("width", 18, 64, width) for width in (64, 128, 256, 512)]
    rows: list[Row] = []
    for name, given in NETWORKS.items():
        for varied, n, count, width in trials:
            widths = {"width": width, "pair_width": width // 4, "depth": 4}
            network = denoiser(name, {**given, **{k: widths[k] for k in widths if k in given}})
            point = point_of(made_up_batch(count, n))
            of = measure({name: [step_of(network, network, point)]})[name]
            at = {"atoms": n, "batch": count, "width": width}
            rows.append({"architecture": name, "varied": varied, **at, **of.row()})
            yield rows[-1]
    if figure is not None:
        draw(rows, figure)


@dataclass(frozen=True)
class Plain:
    """The GNN without an earlier prediction, as EDM's code has it, with the network's parameters.

    After `egnn/egnn_new.py` of github.com/ehoogeboom/e3_diffusion_for_molecules: lists of the atoms
    i and j of all N × N places of a padded batch; [h_i, h_j, e_ij] gathered and concatenated; what
    no pair of atoms stands behind multiplied by 0; sums over j by scatter_add.
    """

    network: GNN
    split: bool
    """The first layer is W_i h_i + W_j h_j + W_e e_ij instead; nothing is concatenated."""

    def __call__(self, atoms: Atoms, time_B: Tensor, previous: Prediction | None) -> Prediction:
        """Return what the network says."""
        network, (B, N) = self.network, atoms.mask_BN.shape
        first_B11 = N * torch.arange(B).view(B, 1, 1)
        i_E = (first_B11 + torch.arange(N).view(N, 1)).expand(B, N, N).flatten()
        j_E = (first_B11 + torch.arange(N)).expand(B, N, N).flatten()
        mask_E1 = pair_mask(atoms.mask_BN).view(-1, 1).to(atoms.positions_BN3)
        context_BD = network.context(atoms, time_B, None, None)
        h_AD = (network.embedding(atoms, None) + context_BD.unsqueeze(1)).flatten(0, 1)
        x_A3 = begin_A3 = atoms.positions_BN3.flatten(0, 1)
        for layer in cast(Any, network.layers):
            vectors_E3 = x_A3[i_E] - x_A3[j_E]
            length_E1 = (vectors_E3.square().sum(1, keepdim=True) + 1e-8).sqrt()
            edge_EX = network.radial(length_E1.squeeze(1))
            m_ED = silu(
                layer.message.second(silu(self._first(layer.message, h_AD, edge_EX, i_E, j_E)))
            )
            gate_E1, pull_E1 = layer.gates(m_ED).split(1, dim=1)
            sum_AD = sums(m_ED * gate_E1.sigmoid() * mask_E1, i_E, B * N)
            h_AD = h_AD + layer.update(torch.cat([h_AD, sum_AD], dim=1))
            x_A3 = x_A3 + sums(vectors_E3 / (length_E1 + 1) * pull_E1 * mask_E1, i_E, B * N)
        h_BND = network.norm(h_AD).unflatten(0, (B, N))
        return Prediction((x_A3 - begin_A3).unflatten(0, (B, N)), network.types(h_BND))

    def _first(
        self, message: Any, h_AD: Tensor, edge_EX: Tensor, i_E: Tensor, j_E: Tensor
    ) -> Tensor:
        h_AD = message.norm(h_AD)
        if self.split:
            to_AD, since_AD = message.ends(h_AD).chunk(2, dim=1)
            return to_AD[i_E] + since_AD[j_E] + message.edge(edge_EX)
        weight = torch.cat([*message.ends.weight.chunk(2), message.edge.weight], dim=1)
        bias = message.ends.bias.unflatten(0, (2, -1)).sum(0)
        return nn.functional.linear(torch.cat([h_AD[i_E], h_AD[j_E], edge_EX], dim=1), weight, bias)


def sums(rows_EX: Tensor, owner_E: Tensor, count: int) -> Tensor:
    """Return (count, X): `unsorted_segment_sum` of EDM's code."""
    result = rows_EX.new_zeros(count, rows_EX.shape[1])
    return result.scatter_add_(0, owner_E.unsqueeze(1).expand(-1, rows_EX.shape[1]), rows_EX)


@dataclass(frozen=True)
class Measured:
    """One of several computations that were timed in turns with a matrix product."""

    seconds: float
    flops: float
    matmul_rate: float
    """FLOP/s of a product of 1,024 × 1,024 matrices."""

    def row(self) -> Row:
        """Return what is shown of it."""
        rate = self.flops / self.seconds
        return {
            "seconds": round(self.seconds, 4),
            "gflop": round(self.flops / 1e9, 2),
            "matmul_gflop_per_second": round(self.matmul_rate / 1e9, 1),
            "share_of_matmul": round(rate / self.matmul_rate, 3),
        }


Computations = Mapping[K, Sequence[Callable[[], None]]]


def measure(
    computations: Computations[K], counted: Computations[K] | None = None
) -> dict[K, Measured]:
    """Time the steps of computations and a matrix product in turns; of each, the least counts.

    FLOPs are those of `counted`, which does the same in the open.
    """
    flops = {
        name: sum(measure_flops(s)[1] for s in steps)
        for name, steps in (counted or computations).items()
    }
    a, b = torch.randn(SIDE, SIDE), torch.randn(SIDE, SIDE)
    product = [lambda: [a @ b for _ in range(PRODUCTS)]]
    timed: list[Sequence[Callable[[], object]]] = [*computations.values(), product]
    seconds = [np.full(len(steps), np.inf) for steps in timed]
    for _ in range(REPEATS):
        for steps, least in zip(timed, seconds, strict=True):
            least[:] = np.minimum(least, [seconds_of(step) for step in steps])
    rate = PRODUCTS * 2 * SIDE**3 / float(seconds[-1].sum())
    return {
        name: Measured(float(least.sum()), flops[name], rate)
        for name, least in zip(computations, seconds, strict=False)
    }


def seconds_of(compute: Callable[[], object]) -> float:
    """Return CPU seconds with one thread, wall seconds with more."""
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    begin = clock()
    compute()
    return clock() - begin


def step_of(forward: Forward, network: Denoiser, point: PathPoint) -> Callable[[], None]:
    """Return a forward and backward pass of the loss, without an earlier prediction."""

    def step() -> None:
        network.zero_grad()
        prediction = PROCESS.predict(cast(Denoiser, forward), point.atoms, point.time_B, None)
        parts = [part.mean() for part in PROCESS.losses(prediction, point).values()]
        torch.stack(parts).sum().backward()

    return step


@torch.no_grad()
def difference(one: Forward, other: Forward, point: PathPoint) -> float:
    """Return the largest difference of what two say of atoms."""
    mask_BN = point.atoms.mask_BN
    said = [forward(point.atoms, point.time_B, None) for forward in (one, other)]
    positions = [each.positions_BN3[mask_BN] for each in said]
    logits = [each.type_logits_BNK[mask_BN] for each in said]
    return max(float((a - b).abs().max()) for a, b in (positions, logits))


def denoiser(name: str, given: Mapping[str, int]) -> Denoiser:
    """Return a new network."""
    torch.manual_seed(0)
    kind = architecture(name)
    return kind(kind.Settings.model_validate(given), Interface(FreeSpace(5)))


def parameters(network: Denoiser) -> int:
    """Return how many numbers a network learns."""
    return sum(parameter.numel() for parameter in network.parameters())


def training_batches(records: MoleculeRecords, count: int) -> list[MoleculeBatch]:
    """Return batches of one pool of Assay's training."""
    order = BatchOrder(len(records), BATCH, 0, records.lengths)
    pool = [order.indices(step) for step in range(min(POOL, order.batches_per_epoch))]
    return quantiles(records, pool, count)


def random_batches(records: MoleculeRecords, count: int) -> list[MoleculeBatch]:
    """Return batches of molecules of all sizes."""
    shuffled = np.random.default_rng(0).permutation(len(records))
    batches = [
        shuffled[i * BATCH : (i + 1) * BATCH] for i in range(min(POOL, len(records) // BATCH))
    ]
    return quantiles(records, batches, count)


def quantiles(
    records: MoleculeRecords, batches: list[NDArray[np.int64]], count: int
) -> list[MoleculeBatch]:
    """Return `count` of the batches at even quantiles of their padded size."""
    batches.sort(key=lambda rows: (int(records.lengths[rows].max()), records.lengths[rows].sum()))
    places = (np.arange(count) + 0.5) * len(batches) / count
    return [records.batch(batches[int(place)]) for place in places]


def made_up_batch(count: int, n_atoms: int) -> MoleculeBatch:
    """Return molecules of equal size with the density of atoms in QM9."""
    random = torch.Generator().manual_seed(0)
    positions_BN3 = torch.randn(count, n_atoms, 3, generator=random) * 0.6 * n_atoms ** (1 / 3)
    types_BN = torch.randint(5, (count, n_atoms), generator=random)
    mask_BN = torch.ones(count, n_atoms, dtype=torch.bool)
    return MoleculeBatch(torch.arange(count), positions_BN3, types_BN, mask_BN)


def point_of(batch: MoleculeBatch) -> PathPoint:
    """Return a point of each molecule's path."""
    clean = Atoms(batch.positions_BN3 / 1.72, batch.types_BN, batch.mask_BN)
    return PROCESS.path(clean.moved(clean.positions_BN3), Draws(0, 0, batch.record_ids))


def mean_pairs(points: Sequence[PathPoint]) -> float:
    """Return the places for pairs, padding too, of a molecule."""
    return float(np.mean([point.atoms.mask_BN.shape[1] ** 2 for point in points]))


def draw(rows: list[Row], path: Path) -> None:
    """Write a page with the cost against what was varied, both on logarithmic axes."""
    from plotly.graph_objects import Scatter
    from plotly.subplots import make_subplots

    titles = {"atoms": "atoms of a molecule", "batch": "molecules of a batch", "width": "width"}
    figure = make_subplots(1, 3, subplot_titles=list(titles.values()), shared_yaxes=True)
    colours = dict(zip(ARCHITECTURES, ("#1f77b4", "#d62728", "#2ca02c"), strict=True))
    for column, varied in enumerate(titles, start=1):
        for name, colour in colours.items():
            chosen = [r for r in rows if r["varied"] == varied and r["architecture"] == name]
            x, y = [row[varied] for row in chosen], [row["seconds"] for row in chosen]
            line = {"color": colour}
            trace = Scatter(x=x, y=y, name=name, line=line, showlegend=column == 1)
            figure.add_trace(trace, row=1, col=column)
    figure.update_xaxes(type="log").update_yaxes(type="log")
    figure.update_yaxes(title="seconds of a training step", col=1)
    figure.write_html(path, include_plotlyjs=True)


def processor() -> str:
    """Return the processor's name as the system has it."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def show(row: Row) -> None:
    """Print a JSON line."""
    print(json.dumps(row), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("questions", nargs="*", help="all, if none is given")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--figure", type=Path)
    given = parser.parse_args()
    main(given.questions, given.threads, given.figure)
