"""What scoring metabolic networks costs: whole, by part, and beside double loops over graphs.

    python benchmarks/pathways.py [evaluate] [kernels] [same] [flux] [training] [scale]
                                  [--repeats N] [--nodes N ...]

One JSON line a row; all questions without an argument. Seconds are medians; ratios are of one run.
The graphs are those of metacyc where it is prepared, else drawn with its sizes and densities.

evaluate  1,000 generated graphs against 400 real ones: everything that `assay evaluate` scores
kernels   one distance with its interval, beside the double loop over pairs of graphs alone
same      uniqueness and novelty by hashes, beside comparing each graph with those of its size
flux      insertion of graphs into e_coli_core, where ASSAY_DATA has it
training  an epoch of the Graph VAE at its default size, over all graphs of metacyc if prepared
scale     one graph of --nodes nodes through the Graph VAE, all pairs looked at closely, and
          candidates alone (settings.model.sparsity); a process a row, for its peak of memory
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from assay.errors import AssayError
from assay.pathways import floors
from assay.pathways.batches import PathwayRecords
from assay.pathways.compounds import Compound, CompoundTable
from assay.pathways.corpus import Corpus
from assay.pathways.data.packing import compounds_of, graphs_of
from assay.pathways.graph_vae import GraphVAE
from assay.pathways.graphs import Pathway, PathwayGraphs, pack
from assay.pathways.metrics import flux, isomorphism, mmd, validity
from assay.pathways.metrics.isomorphism import Classes, labelled, same
from assay.pathways.metrics.networks import open_network
from assay.store.packed import SPLITS
from assay.store.sets import open_set
from assay.training.draws import Draws
from assay.training.meter import peak_memory_bytes, start_peak_memory
from assay.training.order import BatchOrder

GENERATED, REAL, PAIRS = 1_000, 400, 100
NODES = (32, 64, 128, 256, 500)
WARM = 8
"""Nodes of a graph that goes first, so that what is loaded once is not counted."""
CHAIN = [(k, k + 1) for k in range(7)]


def main() -> None:
    """Answer the questions, or all."""
    questions: dict[str, Callable[[int], Iterator[dict[str, Any]]]] = {
        "evaluate": evaluate,
        "kernels": kernels,
        "same": sameness,
        "flux": fluxes,
        "training": training,
        "scale": scale,
    }
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("questions", nargs="*", metavar="QUESTION", help=", ".join(questions))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--nodes", type=int, nargs="+", default=NODES, help="of scale")
    given = parser.parse_args()
    questions["scale"] = partial(scale, nodes=given.nodes)
    unknown = set(given.questions) - set(questions)
    if unknown:
        parser.error(f"no question {sorted(unknown)[0]!r}; there are {', '.join(questions)}")
    for question in given.questions or questions:
        for row in questions[question](given.repeats):
            print(json.dumps({"question": question, **row}), flush=True)


def evaluate(repeats: int) -> Iterator[dict[str, Any]]:
    """Time each part of scoring."""
    train, real = graphs()
    generated = floors.rewired(floors.copied(train, GENERATED))
    limits = validity.Limits.learnt(train, {})
    valid_G = validity.judge(generated, limits).valid
    parts: dict[str, Callable[[], object]] = {
        "distances": lambda: mmd.evaluate(generated, real, train),
        "validity": lambda: validity.evaluate(generated, limits),
        "sameness": lambda: isomorphism.evaluate(generated, valid_G, train),
    }
    seconds = {name: median(repeats, run) for name, run in parts.items()}
    yield {
        **sizes(generated, real, train),
        **{f"{name}_seconds": round(value, 2) for name, value in seconds.items()},
        "seconds": round(sum(seconds.values()), 2),
    }


def kernels(repeats: int) -> Iterator[dict[str, Any]]:
    """Time a distance with 2,000 resamples beside the value alone by a double loop over graphs."""
    train, real = graphs()
    generated = floors.rewired(floors.copied(train, GENERATED))
    for name, how in mmd.usable().items():
        x_GB, y_FB = how.of(generated), how.of(real)
        ours, theirs = mmd.Rows.of(x_GB, how.histogram), mmd.Rows.of(y_FB, how.histogram)
        seconds = median(repeats, lambda o=ours, t=theirs, h=how: mmd.discrepancy(o, t, h.sigma))
        few = x_GB[:PAIRS]
        a_pair = median(repeats, lambda x=few, h=how: looped(x, h.sigma)) / PAIRS**2
        yield {
            "distance": name,
            "distinct_rows": len(ours.counts_K),
            "descriptor_seconds": round(median(repeats, lambda h=how: h.of(generated)), 3),
            "with_interval_seconds": round(seconds, 3),
            "loop_seconds": round(a_pair * (len(generated) + len(real)) ** 2, 1),
        }


def sameness(repeats: int) -> Iterator[dict[str, Any]]:
    """Time the classes of graphs beside comparing every two of one size, on a part of them."""
    train, _ = graphs()
    several = train.select(np.arange(min(len(train), REAL)))
    hashed = median(repeats, lambda: Classes().number(several))
    compared = median(repeats, lambda: by_size(several))
    yield {
        "graphs": len(several),
        "hash_seconds": round(hashed, 3),
        "all_of_one_size_seconds": round(compared, 3),
        "equal": len(np.unique(Classes().number(several))) == by_size(several),
    }


def fluxes(repeats: int) -> Iterator[dict[str, Any]]:
    """Time insertions into e_coli_core, of graphs made of its own metabolites."""
    try:
        network = open_network("e_coli_core")
    except AssayError as error:
        yield {"left_out": str(error)}
        return
    inside = [m for m in network.metabolites if m.endswith("_c")]
    drawn = np.random.default_rng(0)
    random = pack(
        Pathway(id=str(k), nodes=drawn.choice(inside, 8, replace=False).tolist(), edges=CHAIN)
        for k in range(20)
    )
    mapping = {metabolite: metabolite for metabolite in inside}
    seconds = median(repeats, lambda: flux.evaluate(network, random, mapping)) / len(random)
    yield {"network": network.name, "edges": len(CHAIN), "seconds_a_graph": round(seconds, 3)}


def training(repeats: int) -> Iterator[dict[str, Any]]:
    """Time an epoch in batches of 64 of like sizes: forward, backward and a step of Adam."""
    try:
        prepared = open_set("metacyc")
    except AssayError as error:
        yield {"left_out": str(error)}
        return
    whole, table = graphs_of(prepared), compounds_of(prepared)
    records = PathwayRecords(whole, table, np.arange(len(whole)))
    torch.manual_seed(0)
    model = GraphVAE(GraphVAE.Settings(), Corpus.of(whole, table))
    optimizer = torch.optim.Adam(model.parameters())
    order = BatchOrder(len(records), 64, 0, records.lengths)

    def epoch() -> None:
        for step in range(order.batches_per_epoch):
            batch = records.batch(order.indices(step))
            optimizer.zero_grad()
            model(batch, Draws(0, step, batch.record_ids), step).total.backward()
            optimizer.step()

    epoch()
    yield {
        "graphs": 64 * order.batches_per_epoch,
        "threads": torch.get_num_threads(),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "epoch_seconds": round(median(repeats, epoch), 2),
    }


def scale(repeats: int, nodes: Sequence[int] = NODES) -> Iterator[dict[str, Any]]:
    """Time and weigh one graph of each size, both ways, each in a process of its own."""
    for N in nodes:
        for way in ("dense", "sparse"):
            with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as alone:
                yield alone.submit(of_size, N, way, repeats).result()


def of_size(N: int, way: str, repeats: int) -> dict[str, Any]:
    """Return seconds and peak memory of a step of training and of a new graph.

    Memory is what the process grew by, from after a small graph to its peak.
    """
    generator = np.random.default_rng(0)
    some = pack(tree(generator, size, str(size)) for size in (WARM, N))
    names = list(some.compounds)
    table = CompoundTable.of([Compound("C6H12O6", charge=0.0)] * len(names), names, "made")
    records = PathwayRecords(some, table, np.arange(2))
    torch.manual_seed(0)
    beyond = N if way == "dense" else 1
    settings = GraphVAE.Settings.model_validate({"sparsity": {"beyond": beyond}})
    model = GraphVAE(settings, Corpus.of(some, table))
    nothing, cpu = np.zeros((1, 4), np.float32), torch.device("cpu")

    def step(k: int) -> None:
        batch = records.batch(np.array([k]))
        model.zero_grad()
        model(batch, Draws(0, 0, batch.record_ids), None).total.backward()

    def sample(size: int) -> None:
        model.sample(np.array([size]), nothing, nothing > 0, seed=0)

    row: dict[str, Any] = {"nodes": N, "edges": int(some.edge_counts[1]), "way": way}
    runs = {"step": (step, (0, 1)), "sample": (sample, (WARM, N))}
    for name, (run, (small, whole)) in runs.items():
        run(small)
        start_peak_memory(cpu)
        before = peak_memory_bytes(cpu)
        run(whole)
        row[f"{name}_peak_MB"] = round((peak_memory_bytes(cpu) - before) / 1e6, 1)
        row[f"{name}_seconds"] = round(median(repeats, lambda r=run, w=whole: r(w)), 4)
    return row


def graphs() -> tuple[PathwayGraphs, PathwayGraphs]:
    """Return training graphs and 400 others: of metacyc, or drawn alike."""
    try:
        whole = graphs_of(open_set("metacyc"))
    except AssayError:
        return drawn(1_647, seed=0), drawn(REAL, seed=1)
    train = whole.split == SPLITS.index("train")
    return whole.select(np.flatnonzero(train)), whole.select(np.flatnonzero(~train)[:REAL])


def drawn(count: int, seed: int) -> PathwayGraphs:
    """Return random trees with a few more edges: 3 to 40 nodes, 7.8 on average, an edge a node."""
    generator = np.random.default_rng(seed)
    found = []
    for k in range(count):
        N = int(min(40, 3 + generator.geometric(1 / 5.8)))
        found.append(tree(generator, N, str(k)))
    return pack(found)


def tree(generator: np.random.Generator, N: int, id: str) -> Pathway:
    """Return a random tree with one more edge, of N of 2,000 compounds."""
    edges = {(int(generator.integers(t)), t) for t in range(1, N)}
    s, t = generator.integers(N, size=2).tolist()
    edges |= {(s, t)} if s != t else set()
    names = generator.choice(2_000, N, replace=False)
    return Pathway(id=id, nodes=[f"c{n}" for n in names], edges=sorted(edges))


def looped(rows_GB: NDArray[np.float64], sigma: float) -> float:
    """Return the mean kernel by a loop over pairs, as the public implementations compute it."""
    total = 0.0
    for x in rows_GB:
        for y in rows_GB:
            total += np.exp(-((np.abs(x - y).sum() / 2) ** 2) / (2 * sigma**2))
    return total / len(rows_GB) ** 2


def by_size(some: PathwayGraphs) -> int:
    """Return how many classes there are, by VF2 between all graphs of equal numbers."""
    classes: dict[tuple[int, int], list] = {}
    for k in range(len(some)):
        graph = labelled(some, k)
        alike = classes.setdefault((len(graph), graph.number_of_edges()), [])
        if not any(same(graph, other) for other in alike):
            alike.append(graph)
    return sum(map(len, classes.values()))


def sizes(generated: PathwayGraphs, real: PathwayGraphs, train: PathwayGraphs) -> dict[str, int]:
    """Return how many graphs there are of each kind."""
    return {"generated": len(generated), "real": len(real), "train": len(train)}


def median(repeats: int, run: Callable[[], object]) -> float:
    """Return the median time of a call, in seconds, after one that is not counted."""
    seconds = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[1:])


if __name__ == "__main__":
    main()
