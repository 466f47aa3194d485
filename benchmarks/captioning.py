"""What captioning costs.

    python benchmarks/captioning.py [retrieval] [training] [generation] [memory]
                                    [--threads N] [--repeats N] [--suite YAML]

One JSON line a row; all questions without an argument. Seconds are medians, those of the processor
beside those of the clock, which on a busy machine are longer.

retrieval   the nearest of 26,407 molecules to each of 3,300: ours, a product of float32 matrices,
            and RDKit's BulkTanimotoSimilarity. The molecules are those of ChEBI-20 where it is
            here, repeated to the size of its training split; else fingerprints are drawn
training    a step of each stage of each generator of the suite, over batches of like lengths at
            even quantiles: tokens a second, and FLOPs as a share of products of 1,024 x 1,024
            matrices in the same run
generation  texts of 64 tokens by untrained models, which never end before: greedily, without the
            cache, one molecule at a time, by beams
memory      the peak of training steps of a Qwen3 of some 100 million random weights: all of them
            learn, adapters do, adapters on weights of 4 bits do; each in a process of its own
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from rdkit import DataStructs

from assay.captioning.data.captions import CaptionRecords, captions_of
from assay.captioning.data.chebi20 import CHEBI20
from assay.captioning.decoding import Decoding
from assay.captioning.fingerprints import BITS, Fingerprints
from assay.captioning.retrieval import nearest
from assay.captioning.task import CaptioningTask
from assay.cell import Cell, load_suite
from assay.store import sets
from assay.store.locations import data_root
from assay.training.meter import measure_flops, peak_memory_bytes, start_peak_memory

SWEEPS = Path(__file__).resolve().parent.parent / "sweeps"
QUERIES, POOL = 3_300, 26_407
SHARE = 0.02
"""Of bits that are set, as in ChEBI-20."""
BLOCK = 256
FEW = 100
"""Queries that RDKit is asked; its time grows in proportion."""
BATCHES, RECORDS = 3, 512
MATRIX = 1024
WRITTEN = 64
"""Tokens of a text, and texts."""
LARGE = {"width": 1024, "depth": 8, "heads": 16, "vocabulary": 2048}
WAYS = ("full", "lora", "nf4")
Row = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """How questions are answered."""

    repeats: int
    suite: Path | None

    def cells(self) -> list[Cell]:
        """Return the cells of the suite that train; by default of the largest whose data is here.

        Raises:
            DataError: the suite's data set is not prepared.
        """
        path = self.suite or SWEEPS / (
            "captions_controls.yaml"
            if any(row.name == "captions_pool" and row.digest for row in sets.catalogued())
            else "captions_mini_controls.yaml"
        )
        suite = load_suite(path, (f"training.records={RECORDS}",))
        found = suite.cells(sets.prepare(suite.data).digest)
        return [cell for cell in found if "graphs" in type(cell.settings.generator).model_fields]  # pyright: ignore[reportAttributeAccessIssue]


def main() -> None:
    """Answer the questions, or all."""
    questions: dict[str, Callable[[Asked], Iterator[Row]]] = {
        "retrieval": retrieval,
        "training": training,
        "generation": generation,
        "memory": memory,
    }
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("questions", nargs="*", metavar="QUESTION", help=", ".join(questions))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--suite", type=Path, metavar="YAML", help="of training and generation")
    parser.add_argument("--peak", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    unknown = set(given.questions) - set(questions)
    if unknown:
        parser.error(f"no question {sorted(unknown)[0]!r}; there are {', '.join(questions)}")
    torch.set_num_threads(given.threads)
    if given.peak:
        print(json.dumps(peak(given.peak, given.folder)))
        return
    for question in given.questions or questions:
        for row in questions[question](Asked(given.repeats, given.suite)):
            print(json.dumps({"question": question, "threads": given.threads, **row}), flush=True)


def retrieval(asked: Asked) -> Iterator[Row]:
    """Time three ways to the nearest neighbour; compare what they find."""
    queries, pool = fingerprints()
    found = nearest(queries, pool).places_QK[:, 0]
    by_matrix = nearest_by_matrix(queries, pool)
    few, of_rdkit = vectors(queries[:FEW]), vectors(pool)
    by_rdkit = nearest_by_rdkit(few, of_rdkit)
    rdkit_seconds = median(1, lambda: nearest_by_rdkit(few, of_rdkit)) * len(queries) / FEW
    yield {
        "queries": len(queries),
        "pool": len(pool),
        "ours_seconds": round(median(asked.repeats, lambda: nearest(queries, pool)), 2),
        "ten_neighbours_seconds": round(
            median(asked.repeats, lambda: nearest(queries, pool, 10)), 2
        ),
        "matrix_seconds": round(median(1, lambda: nearest_by_matrix(queries, pool)), 2),
        "rdkit_seconds": round(rdkit_seconds, 2),
        "permitted_seconds": 5,
        "found_otherwise": int((found != by_matrix).sum() + (found[:FEW] != by_rdkit).sum()),
    }


def training(asked: Asked) -> Iterator[Row]:
    """Time steps of every stage."""
    rate = matmul_rate(asked.repeats)
    for cell in asked.cells():
        task = CaptioningTask(cell)
        data, size = task.data(), cell.training.batch_size
        torch.manual_seed(0)
        model = task.model(data)
        for stage in task.stages():
            records = stage.records or data.train
            places = at_quantiles(cast(NDArray[np.integer], records.lengths), size)
            batches = [records.batch(part) for part in places]
            for name, parameter in model.named_parameters():
                parameter.requires_grad_(stage.trainable(name))
            learns = [each for each in model.parameters() if each.requires_grad]
            optimizer = torch.optim.AdamW(learns, lr=cell.training.learning_rate)
            steps = partial(train, task, model, stage, batches, optimizer)
            _, flops = measure_flops(steps)
            processor, clock = times(asked.repeats, steps)
            tokens = sum(int(cast(Any, batch).mask_BT.sum()) for batch in batches)
            yield {
                "cell": cell.label,
                "stage": stage.name,
                "parameters_that_learn": sum(each.numel() for each in learns),
                "tokens_per_second": round(tokens / clock),
                "gflop_per_second": round(flops / clock / 1e9, 2),
                "share_of_matmul": round(flops / clock / rate, 3),
                "mflop_per_sample": round(flops / BATCHES / size / 1e6, 1),
                "processor_ms_per_sample": round(1e3 * processor / BATCHES / size, 2),
            }


def generation(asked: Asked) -> Iterator[Row]:
    """Time the writing of texts, some ways."""
    ways = {
        "greedy": ({}, True),
        "greedy, no cache": ({}, False),
        "greedy, one at a time": ({"batch_size": 1}, True),
        "beam 5": ({"method": "beam"}, True),
    }
    for cell in asked.cells():
        if "decoding" not in type(cell.settings.generator).model_fields:  # pyright: ignore[reportAttributeAccessIssue]
            continue  # it writes nothing
        task = CaptioningTask(cell)
        data = task.data()
        torch.manual_seed(0)
        model: Any = task.model(data).eval()
        writer = model.t5 if hasattr(model, "t5") else model.language
        writer.generation_config.eos_token_id = None  # none ends before the others
        generator: Any = task.generator
        for name, (how, cached) in ways.items():
            chosen = {"most_tokens": WRITTEN, "batch_size": WRITTEN, **how}
            decoding = Decoding.model_validate(chosen)
            generator.settings = generator.settings.model_copy(update={"decoding": decoding})
            writer.generation_config.use_cache = cached
            places = np.arange(WRITTEN)
            texts = partial(generator.captions, model, data.test, places, lambda *_: None)
            processor, clock = times(1 if how or not cached else asked.repeats, texts)
            yield {
                "cell": cell.label,
                "way": name,
                "tokens_per_second": round(WRITTEN * WRITTEN / clock),
                "processor_ms_per_token": round(1e3 * processor / WRITTEN / WRITTEN, 3),
            }


def memory(asked: Asked) -> Iterator[Row]:
    """Let a process of its own train each way, and tell its peak."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        save_large(folder)
        for way in WAYS:
            command = [sys.executable, __file__, "--peak", way, "--folder", str(folder)]
            command += ["--threads", str(torch.get_num_threads())]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(done.stderr)
            yield {"way": way, **json.loads(done.stdout.splitlines()[-1])}


def peak(way: str, folder: Path) -> Row:
    """Train two steps of stage 2 and return the peak of this process's memory."""
    cell = bridge_cell({
        "language_model": {"model": str(folder), "quantise": "nf4" if way == "nf4" else "none"},
        "adapt": "full" if way == "full" else "lora",
    })  # fmt: skip
    task = CaptioningTask(cell)
    data, device = task.data(), torch.device("cpu")
    before = peak_memory_bytes(device)
    start_peak_memory(device)
    model, stage = task.model(data), task.stages()[-1]
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(stage.trainable(name))
    learns = [each for each in model.parameters() if each.requires_grad]
    optimizer = torch.optim.AdamW(learns, lr=1e-4)
    assert stage.records is not None
    batch = stage.records.batch(np.arange(8))
    train(task, model, stage, [batch, batch], optimizer)
    return {
        "parameters_that_learn": sum(each.numel() for each in learns),
        "peak_mib": peak_memory_bytes(device) >> 20,
        "of_which_before_the_model_mib": before >> 20,
    }


def train(task: Any, model: Any, stage: Any, batches: Sequence[Any], optimizer: Any) -> None:
    """Take a step on each batch."""
    for batch in batches:
        optimizer.zero_grad()
        task.loss(model, batch, stage, 0).total.backward()
        optimizer.step()


def save_large(folder: Path) -> None:
    """Save a language model of random weights, and its tokenizer, as transformers does."""
    task = CaptioningTask(bridge_cell({"scratch": LARGE}))
    generator: Any = task.generator
    torch.manual_seed(0)
    model: Any = task.model(task.data())
    model.language.save_pretrained(folder)
    generator.tokenizer.save_pretrained(folder)


def bridge_cell(language: Row) -> Cell:
    """Return a cell of the bridge on the mini molecules, with such a language model."""
    generator = {"encoder": {"size": "xs"}, "context": 256, "stages": {"pretrain": 0}, **language}
    return Cell.model_validate({
        "family": "captioning",
        "variant": {"generator": "solid_bridge"},
        "data": {"name": "mini_captions", "digest": sets.prepare("mini_captions").digest},
        "seed": 0,
        "budget": {"steps": 2},
        "training": {"records": 64},
        "settings": {"generator": generator},
    })  # fmt: skip


def at_quantiles(lengths: NDArray[np.integer], size: int) -> list[NDArray[np.int64]]:
    """Return batches of like lengths at even quantiles."""
    order = np.argsort(lengths, kind="stable")
    starts = np.linspace(0, len(order) - size, BATCHES + 2)[1:-1].astype(int)
    return [order[start : start + size] for start in starts]


def matmul_rate(repeats: int) -> float:
    """Return FLOP a second of products of 1,024 x 1,024 matrices."""
    x = torch.randn(MATRIX, MATRIX)
    products = [x] * 10
    return 2 * MATRIX**3 * len(products) / median(repeats, lambda: [x @ y for y in products])


def fingerprints() -> tuple[Fingerprints, Fingerprints]:
    """Return those of ChEBI-20's test split and of a pool of the size of its training split."""
    if data_root() is not None and not sets.is_absent(CHEBI20):
        packed = captions_of(sets.prepare("chebi20"))
        asked, pool = (
            bits_of(Fingerprints.of(CaptionRecords(packed, split).smiles))
            for split in ("test", "validation")
        )
        pool = np.concatenate([pool] * -(-POOL // len(pool)))[:POOL]
    else:
        generator = np.random.default_rng(0)
        drawn = (generator.random((QUERIES + POOL, BITS), np.float32) < SHARE).astype(np.uint8)
        asked, pool = drawn[:QUERIES], drawn[QUERIES:]
    return Fingerprints.of_bits(asked), Fingerprints.of_bits(pool)


def bits_of(prints: Fingerprints) -> NDArray[np.uint8]:
    """Return fingerprints as 0 and 1."""
    return np.unpackbits(prints.words_MW.view(np.uint8), axis=1)


def nearest_by_matrix(asked: Fingerprints, pool: Fingerprints) -> NDArray[np.int64]:
    """Return the nearest of the pool, shared bits counted by a product of float32 matrices."""
    x_QB, y_PB = (torch.from_numpy(bits_of(one)).float() for one in (asked, pool))
    of_P, found = y_PB.sum(1), []
    for x_qB in x_QB.split(BLOCK):
        shared = x_qB @ y_PB.t()
        found.append((shared / (x_qB.sum(1, keepdim=True) + of_P - shared)).numpy().argmax(1))
    return np.concatenate(found)


def nearest_by_rdkit(asked: Sequence[Any], pool: Sequence[Any]) -> NDArray[np.int64]:
    """Return the nearest of the pool as RDKit compares bit vectors, one query at a time."""
    return np.array([np.argmax(DataStructs.BulkTanimotoSimilarity(one, pool)) for one in asked])


def vectors(prints: Fingerprints) -> list[Any]:
    """Return fingerprints as RDKit's own bit vectors."""
    rows = bits_of(prints).tolist()
    return [DataStructs.CreateFromBitString("".join(map(str, row))) for row in rows]


def median(repeats: int, run: Callable[[], Any]) -> float:
    """Return the median time of a call, in seconds."""
    return times(repeats, run)[1]


def times(repeats: int, run: Callable[[], Any]) -> tuple[float, float]:
    """Return the median times of a call, in seconds: the processor's and the clock's."""
    processor, clock = [], []
    for _ in range(repeats):
        started = time.process_time(), time.perf_counter()
        run()
        processor.append(time.process_time() - started[0])
        clock.append(time.perf_counter() - started[1])
    return statistics.median(processor), statistics.median(clock)


if __name__ == "__main__":
    main()
