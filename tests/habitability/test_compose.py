"""Who is invited to a planet, and what each modality by itself can tell of the target then."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from assay.habitability.data import mini_planets
from assay.habitability.data.compose import GUEST, Guest, Host, Invite, compose
from assay.habitability.data.natives import half_natives
from assay.habitability.data.organisms import Organism, read_species, read_taxa
from assay.habitability.data.planets import ORGANISMS, guests_of, invite
from assay.habitability.data.samples import Sample
from assay.habitability.data.target import LEAST_O2_BAR, NEEDS, meets, need_of
from assay.habitability.data.worlds import Worlds
from assay.pathways.data.faults import Faults
from assay.pathways.data.metacyc import METACYC_SET, read_metacyc
from assay.pathways.graphs import ENVIRONMENT, PathwayGraphs
from assay.store.packed import Split

EACH = 24
"""Guests of a planet: so many that a mean over them says what the planet alone tells."""
TEMPERATURE = ENVIRONMENT.index("temperature")
MIDDLES_K = (270.0, 285.0, 300.0, 315.0)


@pytest.fixture(scope="module")
def living(networks) -> tuple[PathwayGraphs, Mapping[int, Sequence[Organism]]]:
    """Networks whose environment is where their organisms live, and these organisms."""
    draw = np.random.default_rng(5)
    middle_K = draw.choice(MIDDLES_K, size=len(networks))
    environment = np.array(networks.environment)
    environment[:, TEMPERATURE] = middle_K
    graphs = replace(networks, environment=environment)
    guests = {
        k: [
            Organism(f"{k}, reach {reach:g}", middle - reach, middle + reach, anaerobe)
            for reach in (12.0, 24.0)
            for anaerobe in ((False,) if graphs.consumes_oxygen[k] == 1 else (False, True))
        ]
        for k, middle in enumerate(middle_K.tolist())
    }
    return graphs, guests


def composed(worlds: Worlds, graphs: PathwayGraphs, inviting: Invite) -> list[Sample]:
    each: Mapping[Split, int] = {"train": EACH, "validation": EACH, "test": EACH}
    return compose(worlds, graphs, inviting, each, 3, lambda phase, fraction: None)


@pytest.fixture(scope="module")
def samples(worlds, networks, living) -> dict[str, list[Sample]]:
    """Records of the same planets: of the mini set's guests, of any others, of natives in half."""
    graphs, guests = living
    strangers = invite(graphs, guests)
    return {
        "mini": composed(worlds, networks, mini_planets.invite(networks)),
        "strangers": composed(worlds, graphs, strangers),
        "natives": composed(worlds, graphs, half_natives(graphs, guests, strangers)),
    }


def hosts(worlds: Worlds, of: Sequence[Sample]) -> NDArray[np.int64]:
    place = {name: k for k, name in enumerate(worlds.bodies.planets.names)}
    return np.array([place[sample.name.rpartition(GUEST)[0]] for sample in of])


def explained(label: NDArray, *known: NDArray) -> float:
    """The share of the label's variance between groups of records that are known to be alike.

    Both variances are freed of what chance adds to a mean of few records.
    """
    rows = np.stack([np.unique(each, return_inverse=True, axis=0)[1].ravel() for each in known], 1)
    of_N = np.unique(rows, return_inverse=True, axis=0)[1].ravel()
    counts = np.bincount(of_N)
    off = label - (np.bincount(of_N, label) / counts)[of_N]
    return 1 - (off**2).sum() / (len(label) - len(counts)) / label.var(ddof=1)


def told_alone(worlds: Worlds, of: Sequence[Sample]) -> dict[str, float]:
    """What each modality at most explains, known perfectly; and that together they leave nothing.

    Words hold at most the window, networks the need, spectra whether there is oxygen. A cube stands
    for its planet, as a fingerprint would, so that its air is told with it: more than a climate can
    tell.
    """
    label = np.array([sample.habitability for sample in of])
    host = hosts(worlds, of)
    window = np.array([sample.window_K for sample in of])
    need = np.array([sample.need for sample in of])
    rich = np.array([sample.oxygen_bar >= LEAST_O2_BAR for sample in of])
    assert label.std() > 0.15, "there is something to explain"
    assert explained(label, need, rich) < 0.5
    assert 0.4 < explained(label, host, window) < 0.95
    assert explained(label, host, window, need) == pytest.approx(1)
    alone = {"cube": host, "window": window, "need": need, "oxygen": rich}
    return {what: explained(label, known) for what, known in alone.items()}


@pytest.mark.parametrize("name", ["mini", "natives"])
def test_what_any_one_modality_holds_explains_little(worlds, samples, name):
    told = told_alone(worlds, samples[name])

    assert max(told.values()) < 0.4, told


@pytest.mark.data
def test_what_any_one_modality_holds_of_metacycs_guests_is_what_the_page_says(worlds, assay_data):
    """And a climate tells nothing of the temperature that such networks are labelled with.

    Natives or not: nine in ten of the labels are above the means of nine planets in ten.
    """
    root = assay_data / str(METACYC_SET.folder)
    every = read_metacyc(root, Faults(refuse=False))
    found = guests_of(every, read_taxa(root), read_species(assay_data / ORGANISMS))
    graphs = every.select(sorted(found))
    guests = {k: found[graph] for k, graph in enumerate(sorted(found))}
    strangers = invite(graphs, guests)
    sets = {
        "planets": composed(worlds, graphs, strangers),
        "planets_natives": composed(worlds, graphs, half_natives(graphs, guests, strangers)),
    }

    told = {name: told_alone(worlds, of) for name, of in sets.items()}
    assert told == {
        "planets": pytest.approx(
            {"cube": 0.227, "window": 0.300, "need": 0.076, "oxygen": 0.038}, abs=0.01
        ),
        "planets_natives": pytest.approx(
            {"cube": 0.307, "window": 0.420, "need": 0.092, "oxygen": 0.0}, abs=0.01
        ),
    }
    known = graphs.environment_known[:, TEMPERATURE]
    labelled = [s for s in sets["planets_natives"] if s.graph is not None and known[s.graph]]
    assert abs(environment_told(worlds, graphs, labelled)) < 0.02
    coldest = np.quantile(graphs.environment[known, TEMPERATURE], 0.1)
    assert coldest > np.quantile(worlds.mean_K, 0.9)


def test_a_label_that_one_modality_decided_would_be_seen(worlds, samples):
    """The measure above is not blind: of labels that the planet or the window decides it is 1."""
    of = samples["mini"]
    host, window = hosts(worlds, of), np.array([sample.window_K for sample in of])

    assert explained(worlds.mean_K[host], host) == pytest.approx(1)
    assert explained(window.mean(axis=1), window) == pytest.approx(1)
    noise = np.random.default_rng(0).normal(size=len(of))
    assert explained(noise, host) == pytest.approx(0, abs=0.05)


def environment_told(worlds: Worlds, graphs: PathwayGraphs, of: Sequence[Sample]) -> float:
    """R² of the networks' temperature by the climate's, on planets that were not learned from."""
    has = [sample for sample in of if sample.graph is not None]
    host = hosts(worlds, has)
    kelvin = worlds.mean_K[host]
    graph = np.array([sample.graph for sample in has], int)
    wanted = graphs.environment[graph, TEMPERATURE]
    learned = host % 2 == 0
    bins = np.digitize(kelvin, (262.5, 277.5, 292.5, 307.5))
    mean = wanted[learned].mean()
    by_bin = np.array([
        wanted[learned & (bins == b)].mean() if (learned & (bins == b)).any() else mean
        for b in range(5)
    ])  # fmt: skip
    left = ((wanted - by_bin[bins])[~learned] ** 2).mean()
    return float(1 - left / ((wanted - mean)[~learned] ** 2).mean())


def test_a_climate_tells_the_environment_of_natives_and_not_of_strangers(worlds, samples, living):
    told = {
        name: environment_told(worlds, living[0], samples[name])
        for name in ("natives", "strangers")
    }

    assert told["natives"] > 0.02
    assert told["strangers"] < 0.01


def test_the_rule_of_the_target_is_the_same_whoever_is_invited(worlds, samples):
    for of in samples.values():
        host = hosts(worlds, of)
        for k in range(0, len(of), 97):
            sample, field = of[k], worlds.temperature_K[host[k]]
            inside = (field >= sample.window_K[0]) & (field <= sample.window_K[1])
            area = np.cos(np.radians(np.arange(-85, 90, 10)))
            share = (inside.mean(axis=(1, 2)) * area).sum() / area.sum()
            met = meets(np.array([sample.need]), np.array([sample.oxygen_bar]))[0]
            assert sample.habitability == pytest.approx(share * met, abs=0.01)


STRANGER = Guest(-1, Organism("stranger", 0.0, 1.0, False))


def drawn(living, host: Host, count: int = 400) -> list[Guest]:
    graphs, guests = living
    inviting = half_natives(graphs, guests, lambda draw, host: STRANGER)
    draw = np.random.default_rng(1)
    return [inviting(draw, host) for _ in range(count)]


@pytest.mark.parametrize("oxygen_bar", [0.2, 1e-7])
def test_half_of_the_guests_live_there(living, oxygen_bar):
    graphs, _ = living
    found = [one for one in drawn(living, Host(0, 290.0, oxygen_bar)) if one is not STRANGER]

    assert 160 < len(found) < 240
    for one in found:
        organism, breathes = one.organism, bool(graphs.consumes_oxygen[one.graph] == 1)
        assert organism.lowest_K <= 290.0 <= organism.highest_K
        need = NEEDS.index(need_of(breathes, organism.anaerobe))
        assert meets(np.array([need]), np.array([oxygen_bar]))[0]
        assert graphs.split[one.graph] == 0
    breathing = np.mean([graphs.consumes_oxygen[one.graph] == 1 for one in found])
    assert breathing == pytest.approx(0.5, abs=0.12) if oxygen_bar > 0.1 else breathing == 0


def test_where_nobody_lives_all_are_strangers(living):
    assert drawn(living, Host(0, 180.0, 0.2)) == [STRANGER] * 400
