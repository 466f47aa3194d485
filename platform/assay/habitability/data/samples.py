"""One planet as it is composed or given, and many of them as the arrays of a packed set.

    ids (M,) int64    split (M,) uint8    presence (M, 5) bool, in the order of MODALITIES
    climate_cubes (C, J, L, 12, V) float32      cube_of (M,) int32: into the cubes, -1 is none
    spectra (M, 2, W) float32 ppm               graph_of (M,) int32: into the graphs, -1 is none
    planet_params (M, K) float32
    environment (M, 4) float32, environment_known (M, 4) bool, as of `assay.pathways.environment`
    habitability (M,) float32, liquid_water (M,) float32, bistable (M,) int8: 1, 0, -1 not known
    windows (M, 2) float32 K, needs (M,) uint8, oxygen_bar, co2_ppm (M,) float32: what the target
        was made from, NaN where it was not; no model may read them
    folds (M,) uint8: of cross-validation, 0 where there is none
    {descriptions,names,groups}_text (bytes,) uint8 in UTF-8, …_text_offsets int64
    pathways_… : the graphs, as `assay.pathways.data.packing` has them

What a record lacks is 0 or empty, and its presence says so. A planet is in as many records as it
has guests, and its cube is stored once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from assay.errors import ConfigError, DataError
from assay.habitability.data.checks import (
    check_cube,
    check_graph,
    check_parameters,
    check_presence,
    check_spectrum,
    check_text,
)
from assay.habitability.data.modalities import (
    CUBE_SHAPE,
    MODALITIES,
    PARAMETERS,
    SPECTRUM_SHAPE,
    Modality,
)
from assay.habitability.spectra.bands import WAVELENGTHS_UM
from assay.pathways.compounds import CompoundTable
from assay.pathways.data.packing import arrays_of
from assay.pathways.graphs import PathwayGraphs
from assay.store.packed import SPLITS, PackedSet, Split
from assay.store.sets import Prepared
from assay.store.texts import Texts

CONTEXT_BYTES = 512
"""The longest description, in bytes of UTF-8."""
PATHWAYS = "pathways_"
_TEXTS = ("descriptions", "names", "groups")
_NOTHING = np.array([np.nan, np.nan], np.float32)


@dataclass(frozen=True)
class Sample:
    """A planet; None is a modality that it lacks."""

    name: str
    group: str
    """What is split as one."""
    split: Split
    habitability: float
    """The target, 0 to 1."""
    liquid_water: float
    """The share of area and year between 0 and 100 °C, for an auxiliary head."""
    graph: int | None = None
    """Position in the graphs."""
    cube: NDArray[np.floating] | None = None
    """(J, L, 12, V) in the order and units of `CUBE_VARIABLES`; samples of one climate get the
    same array, which is packed once."""
    spectrum: NDArray[np.floating] | None = None
    """(2, W) transit depth and sigma, ppm."""
    wavelength_um: NDArray[np.floating] = field(default_factory=WAVELENGTHS_UM.copy)
    description: str | None = None
    params: NDArray[np.floating] | None = None
    """(K,) in the order and units of `PARAMETERS`."""
    bistable: int = -1
    fold: int = 0
    window_K: NDArray[np.floating] = field(default_factory=_NOTHING.copy)
    need: int = 0
    oxygen_bar: float = np.nan
    co2_ppm: float = np.nan

    def presence(self) -> tuple[bool, ...]:
        """Return which of `MODALITIES` it has."""
        own: Mapping[Modality, object] = {
            "bio_graphs": self.graph, "climate_cubes": self.cube, "spectra": self.spectrum,
            "text_descriptions": self.description, "planet_params": self.params,
        }  # fmt: skip
        return tuple(own[modality] is not None for modality in MODALITIES)


def check_sample(sample: Sample, graphs: PathwayGraphs) -> None:
    """Refuse a planet that is not what it should be.

    Raises:
        DataError: names planet and modality.
    """
    check_presence(sample.presence(), sample.name)
    if sample.graph is not None:
        check_graph(int(graphs.node_counts[sample.graph]), sample.name)
    if sample.cube is not None:
        check_cube(sample.cube, sample.name)
    if sample.spectrum is not None:
        check_spectrum(sample.wavelength_um, sample.spectrum, sample.name)
    if sample.description is not None:
        check_text(len(sample.description.encode()), CONTEXT_BYTES, sample.name)
    if sample.params is not None:
        check_parameters(sample.params, sample.name)
    if not 0 <= sample.habitability <= 1:
        raise DataError(
            f"planet {sample.name}: habitability_label: is {sample.habitability:g}; give 0 to 1"
        )


def pack(
    samples: Sequence[Sample], graphs: PathwayGraphs, compounds: CompoundTable
) -> dict[str, NDArray]:
    """Check planets and return the arrays of a packed set, in their order.

    Raises:
        DataError: one is at fault, or a group is in two splits or folds.
    """
    for sample in samples:
        check_sample(sample, graphs)
    _check_groups(samples)
    graph_of = np.array([-1 if s.graph is None else s.graph for s in samples], np.int32)
    cubes, cube_of = _each_once([s.cube for s in samples])
    known = graphs.environment_known[graph_of] & (graph_of >= 0)[:, None]
    arrays: dict[str, NDArray] = {
        "ids": np.arange(1, len(samples) + 1),
        "split": np.array([SPLITS.index(s.split) for s in samples], np.uint8),
        "presence": np.array([s.presence() for s in samples], np.bool_),
        "climate_cubes": cubes,
        "cube_of": cube_of,
        "spectra": _stack([s.spectrum for s in samples], SPECTRUM_SHAPE),
        "planet_params": _stack([s.params for s in samples], (len(PARAMETERS),)),
        "graph_of": graph_of,
        "environment": np.where(known, graphs.environment[graph_of], 0).astype(np.float32),
        "environment_known": known,
        "windows": _stack([s.window_K for s in samples], (2,)),
        "needs": np.array([s.need for s in samples], np.uint8),
        "bistable": np.array([s.bistable for s in samples], np.int8),
        "folds": np.array([s.fold for s in samples], np.uint8),
    }
    for name in ("habitability", "liquid_water", "oxygen_bar", "co2_ppm"):
        arrays[name] = np.array([getattr(s, name) for s in samples], np.float32)
    texts = ([s.description or "" for s in samples], [s.name for s in samples],
             [s.group for s in samples])  # fmt: skip
    for name, strings in zip(_TEXTS, texts, strict=True):
        packed = Texts.of(strings)
        arrays |= {f"{name}_text": packed.buffer, f"{name}_text_offsets": packed.offsets}
    return arrays | {f"{PATHWAYS}{k}": v for k, v in arrays_of(graphs, compounds).items()}


def planets_of(prepared: Prepared) -> PackedSet:
    """Return a prepared set as one of planets.

    Raises:
        ConfigError: it holds something else.
    """
    if not isinstance(prepared, PackedSet) or "climate_cubes" not in prepared.arrays:
        raise ConfigError(
            f"{prepared.name}: holds no planets; the habitability family needs a set of planets, "
            "such as mini_planets"
        )
    return prepared


def pathways_in(packed: PackedSet) -> PackedSet:
    """Return the graphs within a set of planets, for `assay.pathways.data.packing` to read."""
    own = {
        name.removeprefix(PATHWAYS): array
        for name, array in packed.arrays.items()
        if name.startswith(PATHWAYS)
    }
    return PackedSet(packed.directory, packed.manifest, own)


def texts_in(packed: PackedSet, name: str) -> Texts:
    """Return descriptions, names or groups."""
    return Texts(packed.arrays[f"{name}_text"], packed.arrays[f"{name}_text_offsets"])


def _each_once(
    cubes: Sequence[NDArray | None],
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Return (C, J, L, 12, V) the arrays that there are, and (M,) where each cube is among them."""
    own: dict[int, tuple[int, NDArray]] = {}
    for cube in cubes:
        if cube is not None:
            own.setdefault(id(cube), (len(own), cube))
    cube_of = [-1 if cube is None else own[id(cube)][0] for cube in cubes]
    return _stack([cube for _, cube in own.values()], CUBE_SHAPE), np.array(cube_of, np.int32)


def _stack(values: Sequence[NDArray | None], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return (M, *shape) with zeros where nothing is given."""
    found = np.zeros((len(values), *shape), np.float32)
    for k, value in enumerate(values):
        if value is not None:
            found[k] = value
    return found


def _check_groups(samples: Sequence[Sample]) -> None:
    place_of: dict[tuple[str, str], object] = {}
    for sample in samples:
        for kind, place in (("split", sample.split), ("fold", sample.fold)):
            first = place_of.setdefault((kind, sample.group), place)
            if first != place:
                raise DataError(
                    f"planet {sample.name}: {sample.group} is in {kind} {first} and in {place}; "
                    f"put all its records into one {kind}"
                )
