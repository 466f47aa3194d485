"""Suites that nobody ran: results, curves and samples as a published folder holds them."""

import math
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from assay.config import digest16
from assay.result import Cost, Provenance, Reference, Result, write_bytes, write_json
from assay.task import Estimate

GRID = {
    "architecture": ["gnn", "transformer", "pairformer"],
    "process": ["flow_matching", "diffusion", "stochastic_interpolant"],
}
NINE = [f"{a}-{p}" for a, p in product(*GRID.values())]
METRICS = ("atom_stability", "molecule_stability", "validity", "uniqueness", "valid_unique",
           "novelty")  # fmt: skip
METHANE = np.array(
    [[0, 0, 0], [0.63, 0.63, 0.63], [-0.63, -0.63, 0.63], [-0.63, 0.63, -0.63],
     [0.63, -0.63, -0.63]], dtype=np.float32)  # fmt: skip
SALT = 5.64 * np.eye(3)
SLANTED = np.array([[4.1, 0, 0], [1.0, 4.0, 0], [0.5, 0.7, 3.9]])
WATER = np.array([[0, 0, 0.12], [0, 0.76, -0.47], [0, -0.76, -0.47]], dtype=np.float32)


def estimate(value: float, n: int = 1000, version: str = "1") -> Estimate:
    half = 1.96 * math.sqrt(value * (1 - value) / n)
    return Estimate(
        value=value, low=max(0.0, value - half), high=min(1.0, value + half), n=n,
        version=version, better="higher",
    )  # fmt: skip


def cell(
    variant: dict[str, str], seed: int = 0, data: str = "mini", samples: int = 100_000
) -> dict[str, Any]:
    return {
        "family": "generation",
        "variant": variant,
        "data": {"name": data, "digest": "0123456789abcdef" * 4},
        "seed": seed,
        "budget": {"samples": samples, "steps": None},
        "training": {"learning_rate": 0.001},
        "settings": {"network": {"size": "xs"}},
    }


def result(of: dict[str, Any], quality: float, **made: Any) -> Result:
    """A result whose metrics are `quality` and a little more."""
    label = "-".join(of["variant"].values())
    place = NINE.index(label) if label in NINE else 0
    provenance = {
        "cell_key": digest16(of), "protocol": "edm 1", "assay_version": "0.1.0",
        "code_digest": "c" * 16, "git_commit": "d" * 40, "git_dirty": False,
        "packages": {"torch": "2.12.0", "rdkit": "2026.3.1"}, "python": "3.11.9",
        "machine": "Linux x86_64, 2 cores", "device": "cpu", "threads": 1,
        "data_description": "mini: 2,400 molecules of H C N O F, up to 9 heavy atoms",
        "created_utc": "2026-01-02T03:04:05+00:00",
    }  # fmt: skip
    return Result(
        cell=of,
        estimates={
            f"edm/{name}": estimate(min(1.0, quality * (0.7 + 0.06 * k)))
            for k, name in enumerate(METRICS)
        },
        cost=Cost(
            parameters=120_000 + 61_234 * place, steps=1563, samples=100_000,
            flops=(1 + place % 4) * 1.7e12, training_seconds=61.0 * (1 + place),
            evaluation_seconds=12.0, peak_memory_bytes=(400 + 31 * place) * 10**6,
        ),
        provenance=Provenance(**{**provenance, **made}),
    )  # fmt: skip


def reference() -> Reference:
    return Reference(
        label="mini, test split",
        estimates={f"edm/{name}": estimate(0.985 - 0.004 * k) for k, name in enumerate(METRICS)},
        provenance={},
    )


def samples(count: int) -> dict[str, np.ndarray]:
    """Methane and water in turns, the last of four torn apart."""
    parts, numbers = [], []
    for k in range(count):
        torn = 1.6 if k % 4 == 3 else 1.0
        parts.append((METHANE if k % 2 else WATER) * np.float32(torn))
        numbers.append([6, 1, 1, 1, 1] if k % 2 else [8, 1, 1])
    return {
        "positions": np.concatenate(parts),
        "numbers": np.concatenate(numbers).astype(np.uint8),
        "n_atoms": np.array([len(part) for part in parts]),
    }


def crystals(count: int) -> dict[str, np.ndarray]:
    """Rock salt and slanted caesium chloride in turns, the last of four without a cell."""
    salt = np.array([[x, y, z] for x in (0, 0.5) for y in (0, 0.5) for z in (0, 0.5)])
    parts, numbers, lattices = [], [], []
    for k in range(count):
        lattice = SALT if k % 2 == 0 else SLANTED
        parts.append(salt if k % 2 == 0 else np.array([[0, 0, 0], [0.5, 0.5, 0.5]]))
        numbers.append([11, 17, 17, 11, 17, 11, 11, 17] if k % 2 == 0 else [55, 17])
        lattices.append(np.full((3, 3), np.nan) if k % 4 == 3 else lattice)
    return {
        "frac_coords": np.concatenate(parts).astype(np.float32),
        "numbers": np.concatenate(numbers).astype(np.uint8),
        "n_atoms": np.array([len(part) for part in parts]),
        "lattices": np.array(lattices, dtype=np.float32),
    }


def curves(place: int, rows: int = 100) -> str:
    lines = []
    for k in range(1, rows + 1):
        loss = (1 + 0.1 * place) * math.exp(-k / 30) + 0.2 + 0.03 * math.sin(k * (place + 1))
        values = f'"train/loss": {loss!r}, "train/positions": {loss / 2!r}'
        if k % 20 == 0:
            values += f', "val/loss": {loss * 1.1!r}, "val/positions": {loss * 0.6!r}'
        meter = f'"step": {10 * k}, "samples": {1000 * k}, "flops": {1.7e10 * k}'
        lines.append(f'{{{meter}, "seconds": {0.6 * k}, {values}}}\n')
    return "".join(lines)


def write_suite(
    folder: Path,
    *,
    seeds: Sequence[int] = (0,),
    grid: dict[str, list[str]] = GRID,
    title: str = "Nine cells on the mini set",
    data: str = "mini",
    with_reference: bool = True,
    with_curves: bool = True,
    with_samples: bool = True,
) -> list[Result]:
    """Write a whole published folder and return its results."""
    results = []
    for place, values in enumerate(product(*grid.values())):
        for seed in seeds:
            of = cell(dict(zip(grid, values, strict=True)), seed, data)
            quality = 0.9 - 0.05 * (place % 9) + 0.004 * (seed % 3)
            results.append(result(of, quality))
            write_cell(folder, results[-1], place, with_curves, with_samples)
    suite = {
        "name": "grid_mini", "title": title, "family": "generation", "data": data,
        "grid": grid, "seeds": list(seeds), "budget": {"samples": 100_000, "steps": None},
        "training": {}, "settings": {}, "rules": [],
    }  # fmt: skip
    write_json(folder / "suite.json", suite)
    if with_reference:
        write_json(folder / "reference.json", reference())
    return results


def write_cell(folder: Path, of: Result, place: int, with_curves: bool, with_samples: bool) -> None:
    key = of.provenance.cell_key
    write_json(folder / f"{key}.json", of)
    if with_curves:
        write_bytes(folder / f"{key}.metrics.jsonl", curves(place).encode())
    if with_samples:
        np.savez(folder / f"{key}.samples.npz", **samples(8))


def write_crystals(folder: Path) -> list[Result]:
    """Write a whole published folder whose samples are crystals."""
    results = write_suite(folder, data="mini_crystals", with_samples=False)
    for of in results:
        np.savez(folder / f"{of.provenance.cell_key}.samples.npz", **crystals(8))
    return results
