"""Batches of planets with all their modalities, and which of them each planet has.

Shapes: B planets of a batch, J latitudes, L longitudes, V variables, W bins, K parameters, T
tokens.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Self, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assay.errors import ConfigError
from assay.habitability.data.modalities import (
    CUBE_SHAPE,
    CUBE_VARIABLES,
    MODALITIES,
    PARAMETERS,
    Modality,
)
from assay.habitability.data.samples import pathways_in, texts_in
from assay.pathways.data.packing import graphs_of
from assay.pathways.environment import normalised
from assay.store.packed import PackedSet, Split
from assay.task import Splits

if TYPE_CHECKING:
    from torch_geometric.data import Batch

Tokenize = Callable[[Sequence[str]], tuple[Tensor, Tensor]]
"""Texts to (B, T) int64 ids and (B, T) bool, true where there is a token."""

SIGNAL_SCALE = 2.0
"""Of the inverse hyperbolic sine of signal to noise, which itself goes from a tenth to hundreds."""


@dataclass(frozen=True)
class MultiModalBatch:
    """B planets. What one lacks is zeros, and `presence` is false there."""

    record_ids: Tensor
    """(B,) int64: index into the packed set."""
    bio_graphs: "Batch"
    """B metabolic graphs as PyG's, with the fields of `PathwayGraphs.to_pyg`; an absent one has no
    nodes."""
    climate_cubes: Tensor
    """(B, V, J, L, 12) float32, normalised by `CUBE_VARIABLES`."""
    spectra: Tensor
    """(B, 2, W) float32: arsinh(depth over sigma) over 2, and log10 of sigma in ppm."""
    text_descriptions: tuple[str, ...]
    """(B,); "" where there is none."""
    input_ids: Tensor
    """(B, T) int64."""
    attention_mask: Tensor
    """(B, T) bool."""
    planet_params: Tensor
    """(B, K) float32, normalised by `PARAMETERS`."""
    environment: Tensor
    """(B, 4) float32: pH, temperature, O2, redox of the network, as `assay.pathways.environment`
    normalises them; a target."""
    environment_known: Tensor
    """(B, 4) bool."""
    habitability_label: Tensor
    """(B,) float32, 0 to 1."""
    liquid_water_label: Tensor
    """(B,) float32: of an auxiliary head, and evidence for nothing."""
    presence: Tensor
    """(B, 5) bool, in the order of `MODALITIES`."""

    def __len__(self) -> int:
        """Return B."""
        return len(self.record_ids)

    def to(self, device: torch.device) -> Self:
        """Return the batch on `device`."""
        moved: dict[str, Any] = {
            f.name: value.to(device, non_blocking=True)
            for f in fields(self)
            if isinstance(value := getattr(self, f.name), Tensor)
        }
        graphs: Any = self.bio_graphs  # PyG makes the class of a batch as it goes
        return replace(self, bio_graphs=graphs.to(str(device)), **moved)

    def has(self, modality: Modality) -> Tensor:
        """Return (B,) bool: which planets have a modality."""
        return self.presence[:, MODALITIES.index(modality)]


def tokenize_bytes(texts: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Return the bytes of UTF-8 plus 1 as ids; 0 is padding."""
    encoded = [torch.tensor(list(text.encode()), dtype=torch.int64) + 1 for text in texts]
    length = max([1, *(len(one) for one in encoded)])
    ids = torch.zeros(len(texts), length, dtype=torch.int64)
    for k, one in enumerate(encoded):
        ids[k, : len(one)] = one
    return ids, ids > 0


class PlanetRecords:
    """A split, a fold or any choice of a packed set of planets, as `assay.task.Records`."""

    lengths = None
    """Planets are all alike."""

    def __init__(
        self, packed: PackedSet, records: NDArray[np.int64], tokenize: Tokenize = tokenize_bytes
    ) -> None:
        """Keep the records.

        Args:
            packed: A set of planets.
            records: (len,) indices into it.
            tokenize: The text encoder's own.
        """
        self.packed, self.records, self.tokenize = packed, records, tokenize
        self.graphs = graphs_of(pathways_in(packed))
        self._texts = texts_in(packed, "descriptions")

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self.records)

    def first(self, most: int) -> Self:
        """Return the first `most` records, or all that there are."""
        return type(self)(self.packed, self.records[:most], self.tokenize)

    def batch(self, indices: NDArray[np.integer]) -> MultiModalBatch:
        """Return the records at `indices` (B,), in that order."""
        chosen = self.records[np.asarray(indices, np.int64)]
        arrays = self.packed.arrays
        texts = tuple(self._texts.select(chosen))
        input_ids, attention_mask = self.tokenize(texts)
        presence = np.array(arrays["presence"][chosen])
        known = np.array(arrays["environment_known"][chosen])
        return MultiModalBatch(
            record_ids=torch.from_numpy(chosen),
            bio_graphs=self._graphs(arrays["graph_of"][chosen]),
            climate_cubes=_tensor(normalised_cubes(self._cubes(chosen), presence)),
            spectra=_tensor(normalised_spectra(arrays["spectra"][chosen], presence)),
            text_descriptions=texts,
            input_ids=input_ids,
            attention_mask=attention_mask,
            planet_params=_tensor(normalised_params(arrays["planet_params"][chosen], presence)),
            environment=_tensor(normalised(arrays["environment"][chosen], known)),
            environment_known=torch.from_numpy(known),
            habitability_label=_tensor(arrays["habitability"][chosen]),
            liquid_water_label=_tensor(arrays["liquid_water"][chosen]),
            presence=torch.from_numpy(presence),
        )

    def _cubes(self, chosen: NDArray[np.integer]) -> NDArray[np.float32]:
        """Return (B, J, L, 12, V), 0 where there is none."""
        cube_of = self.packed.arrays["cube_of"][chosen]
        cubes = np.zeros((len(chosen), *CUBE_SHAPE), np.float32)
        cubes[cube_of >= 0] = self.packed.arrays["climate_cubes"][cube_of[cube_of >= 0]]
        return cubes

    def _graphs(self, graph_of: NDArray[np.integer]) -> "Batch":
        from torch_geometric.data import Batch

        absent = self.graphs.to_pyg(0).subgraph(torch.zeros(0, dtype=torch.int64))
        absent.environment_known = torch.zeros(1, 4, dtype=torch.bool)
        absent.pathway_id, absent.family = "", ""
        return Batch.from_data_list(
            [self.graphs.to_pyg(int(k)) if k >= 0 else absent for k in graph_of]
        )


def splits(
    packed: PackedSet, tokenize: Tokenize = tokenize_bytes, fold: int | None = None
) -> Splits:
    """Return the three splits of a packed set, or those in which a fold is the test.

    Then the next fold, the first after the last, is the validation, and the others are trained on.

    Raises:
        ConfigError: the set has no such fold, or none at all.
    """
    rows: dict[Split, NDArray[np.int64]] = {
        name: packed.split_indices(name) for name in get_args(Split)
    }
    if fold is not None:
        of_M, count = np.asarray(packed.arrays["folds"]), folds_in(packed)
        if not 1 <= fold <= count:
            raise ConfigError(f"{packed.name}: has folds 1 to {count}, not {fold}")
        is_test, is_validation = of_M == fold, of_M == fold % count + 1
        rows = {
            "train": np.flatnonzero(~is_test & ~is_validation),
            "validation": np.flatnonzero(is_validation),
            "test": np.flatnonzero(is_test),
        }
    train, validation, test = (
        PlanetRecords(packed, rows[name], tokenize) for name in ("train", "validation", "test")
    )
    return Splits(train, validation, test, packed.description)


def folds_in(packed: PackedSet) -> int:
    """Return how many folds a packed set is divided into, three at least.

    Raises:
        ConfigError: it is not, or not all of its planets are in one.
    """
    of_M = np.asarray(packed.arrays["folds"])
    count = int(of_M.max(initial=0))
    if count < len(get_args(Split)) or set(of_M.tolist()) != set(range(1, count + 1)):
        raise ConfigError(
            f"{packed.name}: is not divided into folds; leave out settings.fold and the axis fold, "
            "or take a set that is, such as gcm_planets"
        )
    return count


def normalised_cubes(
    cubes_BJLMV: NDArray[np.floating], presence: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Return (B, V, J, L, 12) of order one; 0 where a planet has no cube."""
    centre, scale = np.array([(q.centre, q.scale) for q in CUBE_VARIABLES], np.float32).T
    scaled = np.moveaxis((cubes_BJLMV - centre) / scale, -1, 1)
    return np.where(_has(presence, "climate_cubes", 5), scaled, np.float32(0))


def normalised_spectra(
    spectra_B2W: NDArray[np.floating], presence: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Return (B, 2, W): arsinh(depth over sigma) over 2, log10 of sigma; 0 where there is none."""
    has = _has(presence, "spectra", 2)
    sigma = np.where(has, spectra_B2W[:, 1], 1.0)
    channels = np.arcsinh(spectra_B2W[:, 0] / sigma) / SIGNAL_SCALE, np.log10(sigma)
    return np.where(has[:, None], np.stack(channels, axis=1), 0).astype(np.float32)


def normalised_params(
    params_BK: NDArray[np.floating], presence: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Return (B, K) of order one; 0 where nothing is known."""
    centre, scale = np.array([(q.centre, q.scale) for q in PARAMETERS], np.float32).T
    return np.where(_has(presence, "planet_params", 2), (params_BK - centre) / scale, np.float32(0))


def _has(presence: NDArray[np.bool_], modality: Modality, dimensions: int) -> NDArray[np.bool_]:
    return presence[:, MODALITIES.index(modality)].reshape(-1, *[1] * (dimensions - 1))


def _tensor(array: NDArray) -> Tensor:
    return torch.from_numpy(np.array(array, np.float32))
