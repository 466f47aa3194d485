"""What link prediction costs: our products over a dense graph beside PyG's lists of edges.

    python benchmarks/interactions.py [memory] [encoders] [step] [hits] [hard_negatives]
        [--threads N] [--repeats N]

One JSON line a row; all questions without an argument. Seconds are medians; ratios are of one run.
The graph is ogbl-ddi where it is here, else one drawn with its size and density.

memory    what scoring all held-out pairs adds to the process's peak, beside a float64 matrix of all
encoders  two layers of width 256, forward and backward: over PyG's edge_index, and with the graph
          held sparsely (attention: over the list of edges) and densely
step      a whole training step of the official recipe: reference, and ours in float32 and bfloat16
hits      Hits@20 of 133,489 edges against 95,599 negatives
hard_negatives  of all nodes, made once for a data set, on one thread: seconds of one run, and the
          most that its arrays take, beside a float64 matrix of all pairs
"""

import argparse
import json
import resource
import statistics
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus
from torch_geometric.utils import negative_sampling

from assay.interactions import hard_negatives, metrics
from assay.interactions.catalog import ENCODERS
from assay.interactions.data.links import Graph, links_of, training_graph
from assay.interactions.data.ogbl_ddi import OGBL_DDI
from assay.interactions.encoder import Encoder
from assay.interactions.messages import Messages
from assay.interactions.negatives import NonEdges
from assay.interactions.predictor import HadamardDecoder, LinkPredictor, Nodes
from assay.interactions.settings import DecoderSettings, encoder
from assay.store import sets
from assay.store.locations import data_root
from assay.training.draws import Draws
from assay.training.optimizer import clip_gradients

NODES, EDGES, WIDTH, BATCH = 4_267, 1_067_911, 256, 65_536
POSITIVES, NEGATIVES = 133_489, 95_599


def main() -> None:
    """Answer the questions, or all."""
    questions: dict[str, Callable[[int], Iterator[dict[str, Any]]]] = {
        "memory": memory,  # first: a process knows its peak alone
        "encoders": encoders,
        "step": steps,
        "hits": hits,
        "hard_negatives": making_hard_negatives,
    }
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("questions", nargs="*", metavar="QUESTION", help=", ".join(questions))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    unknown = set(given.questions) - set(questions)
    if unknown:
        parser.error(f"no question {sorted(unknown)[0]!r}; there are {', '.join(questions)}")
    torch.set_num_threads(given.threads)
    for question in given.questions or questions:
        for row in questions[question](given.repeats):
            print(json.dumps({"question": question, "threads": given.threads, **row}), flush=True)


def encoders(repeats: int) -> Iterator[dict[str, Any]]:
    """Time every encoder over every way to hold the graph; compare what comes out."""
    of = graph()
    for name in ENCODERS:
        model, x_VD = network(name), torch.randn(of.n_nodes, WIDTH)
        held = {way: Messages(of, dense=way == "dense") for way in ("sparse", "dense")}
        edges_2M = held["dense"].edges_2M

        ways = {
            "edge_index": lambda model=model, x=x_VD, edges=edges_2M: over_edges(model, x, edges),
            **{
                way: lambda model=model, x=x_VD, held=held[way]: model(
                    x, held.without(None), torch.arange(len(x))
                )
                for way in held
            },
        }
        seconds = {way: median(repeats, both_ways(run)) for way, run in ways.items()}
        with torch.no_grad():
            outputs = {way: run() for way, run in ways.items()}
        yield {
            "encoder": name,
            **{f"{way}_seconds": round(value, 3) for way, value in seconds.items()},
            "times_faster": round(seconds["edge_index"] / seconds["dense"], 1),
            "largest_difference": float((outputs["dense"] - outputs["edge_index"]).abs().max()),
        }


def steps(repeats: int) -> Iterator[dict[str, Any]]:
    """Time a training step, dropout as in the recipe; compare the losses without it."""
    of = graph()
    for name in ("gcn", "sage"):
        model = predictor(name, of, dropout=0.5)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.005, foreach=True)
        non_edges, pairs_B2 = NonEdges.of(of), of.edges_E2[:BATCH]
        edges_2M = model.messages.edges_2M

        def drawn(non_edges: NonEdges = non_edges) -> Tensor:
            return non_edges.draw(Draws(0, 0, torch.arange(BATCH)), 1).flatten(0, 1)

        def reference_negatives(edges_2M: Tensor = edges_2M) -> Tensor:
            return negative_sampling(edges_2M, NODES, num_neg_samples=BATCH, method="dense").t()

        def loss(
            reference: bool,
            negatives_B2: Tensor,
            model: LinkPredictor = model,
            edges_2M: Tensor = edges_2M,
            pairs_B2: Tensor = pairs_B2,
        ) -> Tensor:
            if not reference:
                scores_P = model(torch.cat([pairs_B2, negatives_B2]))
            else:
                h = over_edges(model.encoder, model.nodes(), edges_2M, dropout=0.5)
                scores_P = torch.cat([by_pyg(model, h, p) for p in (pairs_B2, negatives_B2)])
            edges, others = scores_P.tensor_split([BATCH])
            return softplus(-edges).mean() + softplus(others).mean()

        def step(
            reference: bool,
            lower: bool = False,
            model: LinkPredictor = model,
            optimizer: torch.optim.Optimizer = optimizer,
        ) -> None:
            negatives_B2 = reference_negatives() if reference else drawn()
            with torch.autocast("cpu", torch.bfloat16, enabled=lower):
                value = loss(reference, negatives_B2)
            value.backward()
            clip_gradients(model, 1.0)
            optimizer.step()
            optimizer.zero_grad()

        seconds = {
            "edge_index": median(repeats, lambda step=step: step(True)),
            "ours": median(repeats, lambda step=step: step(False)),
            "ours_bf16": median(repeats, lambda step=step: step(False, lower=True)),
        }
        model.eval()
        with torch.no_grad():
            values = [float(loss(reference, drawn())) for reference in (True, False)]
        yield {
            "encoder": name,
            **{f"{way}_seconds": round(value, 3) for way, value in seconds.items()},
            "times_faster": round(seconds["edge_index"] / seconds["ours"], 1),
            "times_faster_bf16": round(seconds["edge_index"] / seconds["ours_bf16"], 1),
            "difference_of_losses": abs(values[0] - values[1]),
        }


def hits(repeats: int) -> Iterator[dict[str, Any]]:
    """Time the metric, without and with its interval, beside sorting all scores."""
    generator = np.random.default_rng(0)
    positive = generator.normal(1, 1, POSITIVES).astype(np.float32)
    negative = generator.normal(0, 1, NEGATIVES).astype(np.float32)
    seconds = median(max(9, repeats), lambda: metrics.hits_at_k(positive, negative, 20))
    whole = median(max(9, repeats), lambda: metrics.evaluate(positive, negative))
    yield {
        "hits_at_20_with_interval_milliseconds": round(1e3 * seconds, 1),
        "whole_protocol_milliseconds": round(1e3 * whole, 1),
        "permitted_milliseconds": 50,
    }


def memory(repeats: int) -> Iterator[dict[str, Any]]:
    """Measure what scoring all held-out pairs adds to the process's peak."""
    of = graph()
    model = predictor("gcn", of, dropout=0.0).eval()
    pairs = torch.randint(of.n_nodes, (POSITIVES + NEGATIVES, 2))
    with torch.no_grad():
        model(pairs[:10])
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for part in pairs.split(1 << 17):
            model(part)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield {"added_mib": (after - before) >> 10, "all_pairs_float64_mib": (NODES**2 * 8) >> 20}


def making_hard_negatives(repeats: int) -> Iterator[dict[str, Any]]:
    """Time and measure what every evaluation on a data set shares."""
    of = graph()
    tracemalloc.start()
    started = time.perf_counter()
    hard_negatives.candidates(of, of.edges_E2.numpy())
    seconds = time.perf_counter() - started
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    yield {
        "seconds": round(seconds, 1),
        "peak_mib": peak >> 20,
        "all_pairs_float64_mib": (NODES**2 * 8) >> 20,
    }


def graph() -> Graph:
    """Return the training graph of ogbl-ddi, or one of its size."""
    if data_root() is not None and not sets.is_absent(OGBL_DDI):
        return training_graph(links_of(sets.prepare("ogbl_ddi")))
    generator = torch.Generator().manual_seed(0)
    pairs = torch.randint(NODES, (3 * EDGES, 2), generator=generator).sort(dim=1).values
    codes = (pairs[:, 0] * NODES + pairs[:, 1])[pairs[:, 0] < pairs[:, 1]].unique()
    chosen = codes[torch.randperm(len(codes), generator=generator)[:EDGES]]
    return Graph(NODES, torch.stack([chosen // NODES, chosen % NODES], dim=1))


def network(name: str, dropout: float = 0.0) -> Encoder:
    """Return two layers of width 256."""
    torch.manual_seed(0)
    cls = encoder(name)
    settings = cls.Settings.model_validate({"width": WIDTH, "depth": 2, "dropout": dropout})
    return cls(settings, WIDTH)


def predictor(name: str, of: Graph, dropout: float) -> LinkPredictor:
    """Return the model of the official recipe."""
    decoder = HadamardDecoder(WIDTH, DecoderSettings(dropout=dropout))
    nodes = Nodes(of.n_nodes, None, WIDTH)
    return LinkPredictor(nodes, network(name, dropout), decoder, Messages.of(of))


def over_edges(model: Encoder, x_VD: Tensor, edges_2M: Tensor, dropout: float = 0.0) -> Tensor:
    """Return (V, D) as PyG's own layers compute it from a list of edges."""
    layers: Any = model.layers
    h_VD = x_VD
    for number, layer in enumerate(layers):
        h_VD = nn.functional.dropout(h_VD.relu(), dropout, model.training) if number else h_VD
        h_VD = layer.conv(h_VD, edges_2M)
    return h_VD


def by_pyg(model: LinkPredictor, h_VD: Tensor, pairs_P2: Tensor) -> Tensor:
    """Return (P,) logits as the official example computes them."""
    x = h_VD[pairs_P2[:, 0]] * h_VD[pairs_P2[:, 1]]
    x = nn.functional.dropout(model.decoder.hidden[0](x).relu(), 0.5, model.training)
    return model.decoder.last(x).squeeze(-1)


def both_ways(run: Callable[[], Tensor]) -> Callable[[], None]:
    """Return a function that runs forward and backward."""
    return lambda: run().square().sum().backward()


def median(repeats: int, run: Callable[[], Any]) -> float:
    """Return the median time of a call, in seconds, after one that is not counted."""
    times = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return statistics.median(times[1:])


if __name__ == "__main__":
    main()
