"""The composed set: what it is made of, what decides its target, and what it refuses."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from assay import catalog
from assay.errors import ConfigError, DataError
from assay.habitability.data import descriptions, target
from assay.habitability.data.air import Air, mixing_ratios
from assay.habitability.data.batches import (
    PlanetRecords,
    normalised_spectra,
    splits,
    tokenize_bytes,
)
from assay.habitability.data.columns import half_pressure_height_m
from assay.habitability.data.mini_planets import GUESTS
from assay.habitability.data.modalities import CUBE_SHAPE, CUBE_VARIABLES, MODALITIES, PARAMETERS
from assay.habitability.data.population import draw_known, dress, split_of
from assay.habitability.data.samples import (
    Sample,
    check_sample,
    pathways_in,
    planets_of,
    texts_in,
)
from assay.habitability.data.worlds import are_of_records, twins
from assay.habitability.spectra.bands import GASES, WAVELENGTHS_UM
from assay.pathways.data.packing import graphs_of
from assay.store.packed import SPLITS


def test_planets_are_split_whole_and_networks_with_them(planets):
    arrays = planets.arrays
    groups = list(texts_in(planets, "groups"))
    graphs = graphs_of(pathways_in(planets))

    for group, split in zip(groups, arrays["split"], strict=True):
        assert SPLITS[split] == split_of(group)
    has = arrays["graph_of"] >= 0
    assert (graphs.split[arrays["graph_of"][has]] == arrays["split"][has]).all()


def test_a_planet_has_several_guests_who_find_the_same_climate(planets):
    arrays = planets.arrays
    names = [name.rpartition(", guest ") for name in texts_in(planets, "names")]
    hosts = np.array([host for host, _, _ in names])
    turns = np.array([int(turn) for _, _, turn in names])
    texts = np.array(list(texts_in(planets, "descriptions")))

    assert len(set(hosts)) == 136
    assert (turns[:136] == 1).all(), "the first records are all of different planets"
    for host in np.unique(hosts):
        own = np.flatnonzero(hosts == host)
        has = arrays["presence"][own]
        assert turns[own].tolist() == [*range(1, 1 + GUESTS[SPLITS[arrays["split"][own[0]]]])]
        assert len(np.unique(arrays["cube_of"][own][has[:, 1]])) <= 1
        assert ((arrays["cube_of"][own] >= 0) == has[:, 1]).all()
        spectra, words = arrays["spectra"][own][has[:, 2]], texts[own][has[:, 3]]
        assert len(np.unique(spectra[:, 0], axis=0)) == len(spectra), "noise of its own"
        assert len(set(words)) == len(words)
        assert len(np.unique(arrays["planet_params"][own][has[:, 4]], axis=0)) <= 1
    assert len(arrays["climate_cubes"]) == len(np.unique(arrays["cube_of"])) - 1 <= 136
    assert len(np.unique(arrays["windows"], axis=0)) > 1


def test_the_target_is_the_rule_on_what_the_modalities_hold(planets):
    arrays = planets.arrays
    has = arrays["presence"][:, MODALITIES.index("climate_cubes")]
    cubes = arrays["climate_cubes"][arrays["cube_of"][has]]

    again = target.metabolic_habitability(
        cubes[..., 0], arrays["windows"][has], arrays["needs"][has], arrays["oxygen_bar"][has]
    )

    assert again == pytest.approx(arrays["habitability"][has], abs=1e-6)
    assert 0.1 < (again > 0.05).mean() < 0.9


def test_no_modality_decides_the_target():
    """Each factor of the rule, changed alone, changes the target from all to nothing."""
    warm = np.full((1, 18, 12, 12), 300.0)
    window, need, oxygen = np.array([[290.0, 310.0]]), np.array([1]), np.array([0.2])

    def share(warm, window, need, oxygen):
        return target.metabolic_habitability(warm, window, need, oxygen)[0].round(6)

    assert share(warm, window, need, oxygen) == 1
    assert share(warm - 60, window, need, oxygen) == 0  # climate_cubes
    assert share(warm, window + 40, need, oxygen) == 0  # text_descriptions
    assert share(warm, window, np.array([2]), oxygen) == 0  # bio_graphs
    assert share(warm, window, need, oxygen * 1e-6) == 0  # spectra
    assert share(warm, window, np.array([0]), oxygen * 1e-6) == 1


def test_text_alone_tells_little_of_the_target(planets):
    """Nearest neighbours of words, the label's own words removed, against the mean."""
    arrays = planets.arrays
    has = arrays["presence"][:, MODALITIES.index("text_descriptions")]
    texts = np.array(list(texts_in(planets, "descriptions")))[has]
    label, train = arrays["habitability"][has], arrays["split"][has] == 0
    words = sorted({word for text in texts for word in text.lower().split()})
    words = [word for word in words if not word.startswith(descriptions.LABEL_WORDS)]
    bags = np.array([[word in text.lower().split() for word in words] for text in texts], float)
    bags -= bags[train].mean(axis=0)

    # Ridge regression, the stiffness chosen where it is best for the leak.
    best = -np.inf
    for stiffness in (3.0, 30.0, 300.0):
        A = bags[train].T @ bags[train] + stiffness * np.eye(len(words))
        weights = np.linalg.solve(A, bags[train].T @ (label[train] - label[train].mean()))
        left = label[~train] - label[train].mean() - bags[~train] @ weights
        best = max(best, 1 - np.mean(left**2) / label[~train].var())
    assert best < 0.4


def test_descriptions_vary_and_never_name_the_label(planets):
    texts = [text for text in texts_in(planets, "descriptions") if text]

    assert len(set(texts)) > 0.95 * len(texts)
    assert len({text.split()[0] for text in texts}) > 5
    for text in texts:
        assert not any(word in text.lower() for word in descriptions.LABEL_WORDS)
        assert "oxygen" not in text.lower()
        assert "{" not in text


def test_a_batch_has_all_modalities_and_says_which_are_missing(planets):
    records = splits(planets).train
    batch = records.batch(np.arange(12))

    assert batch.bio_graphs.num_graphs == len(batch) == 12
    assert batch.climate_cubes.shape == (12, len(CUBE_VARIABLES), 18, 12, 12)
    assert batch.spectra.shape == (12, 2, 96)
    assert batch.planet_params.shape == (12, len(PARAMETERS))
    assert batch.input_ids.shape == batch.attention_mask.shape
    assert batch.environment.shape == batch.environment_known.shape == (12, 4)
    assert batch.presence.shape == (12, len(MODALITIES))
    nodes = torch.bincount(batch.bio_graphs.batch, minlength=12)
    assert ((nodes > 0) == batch.has("bio_graphs")).all()
    assert (batch.attention_mask.any(dim=1) == batch.has("text_descriptions")).all()
    for name in ("climate_cubes", "spectra", "planet_params"):
        own = getattr(batch, name).flatten(1)
        assert torch.isfinite(own).all()
        assert ((own != 0).any(dim=1) == batch.has(name)).all()
    assert not batch.presence.all()
    assert batch.presence.any(dim=1).all()
    assert batch.to(torch.device("cpu")).habitability_label.equal(batch.habitability_label)


def test_batches_are_records_in_order(planets):
    records = PlanetRecords(planets, np.array([7, 3, 5]))
    batch = records.batch(np.array([2, 0]))

    assert batch.record_ids.tolist() == [5, 7]
    assert batch.text_descriptions[1] == texts_in(planets, "descriptions")[7]


def test_bytes_are_tokens():
    ids, mask = tokenize_bytes(["ab", "", "µ"])

    assert ids.tolist() == [[98, 99], [0, 0], [0xC2 + 1, 0xB5 + 1]]
    assert mask.tolist() == [[True, True], [False, False], [True, True]]


def test_a_cube_is_that_of_its_record_or_nothing(planets):
    arrays = planets.arrays
    rows = np.array([np.flatnonzero(arrays["cube_of"] == k)[0] for k in (5, 2)])
    rows = np.insert(rows, 1, np.flatnonzero(arrays["cube_of"] < 0)[0])
    batch = PlanetRecords(planets, rows).batch(np.arange(3))

    centre, scale = CUBE_VARIABLES[0].centre, CUBE_VARIABLES[0].scale
    surface = batch.climate_cubes[:, 0].numpy() * scale + centre
    assert surface[[0, 2]] == pytest.approx(arrays["climate_cubes"][[5, 2], ..., 0], rel=1e-5)
    assert not batch.climate_cubes[1].any()


def test_twins_differ_by_their_start_alone():
    bodies = dress(draw_known(np.random.default_rng(3), 3), 1, 4)
    both = twins(bodies, 2)

    assert both.groups == [*bodies.groups, *bodies.groups[:2]]
    assert both.planets.names[3:] == [f"{name}, other start" for name in bodies.planets.names[:2]]
    assert (both.planets.start_K[3:] != bodies.planets.start_K[:2]).all()
    assert (both.planets.ocean[3:] == bodies.planets.ocean[:2]).all()
    assert (both.air.oxygen_bar[3:] == bodies.air.oxygen_bar[:2]).all()


def test_the_same_seed_makes_the_same_planets():
    one, other = (dress(draw_known(np.random.default_rng(3), 5), 2, 4) for _ in range(2))

    assert one.planets.names == other.planets.names
    assert (one.planets.ocean == other.planets.ocean).all()
    assert len(set(one.splits[:2])) == 1


def test_air_is_hydrostatic_and_ozone_follows_oxygen():
    z = np.linspace(0, 8000, 80_001)
    pressure = np.exp(-np.cumsum(9.81 / (296.8 * (288 - 6.5e-3 * z))) * (z[1] - z[0]))
    height = half_pressure_height_m(np.array(288.0), np.array(9.81))
    assert height == pytest.approx(z[np.abs(pressure - 0.5).argmin()], abs=1)
    assert height < 296.8 * 288 / 9.81 * np.log(2)
    air = Air(np.full(2, 280.0), np.array([0.21, 0.0021]), np.full(2, 1e-6))
    ratios = dict(zip(GASES, mixing_ratios(air, np.full(2, 288.0)).T, strict=True))
    assert ratios["O3"][1] / ratios["O3"][0] == pytest.approx(0.5, abs=0.01)
    assert ratios["O2"][0] == pytest.approx(0.21 / 1.21, rel=1e-3)


def faulty(name, value, cube):
    spectrum = np.stack([np.zeros(96), np.ones(96)])
    given = {"cube": cube, "spectrum": spectrum, "description": "A planet.", "graph": 0}
    return Sample("Vulcan", "Vulcan", "test", 0.5, 0.5, **{**given, name: value})


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("cube", lambda c: c.transpose(2, 0, 1, 3), "climate_cubes: has axes (12, 18, 12, 5)"),
        ("cube", lambda c: c - [273.15, 0, 0, 0, 0], "climate_cubes: surface temperatures of"),
        ("cube", lambda c: c * np.nan, "climate_cubes: 12,960 values are not finite"),
        ("cube", lambda c: np.add(c, (0, 0, 0, 2, 0)), "climate_cubes: frozen_fraction is 2.1"),
        ("spectrum", lambda c: np.full((2, 96), np.nan), "spectra: 96 bins are NaN or infinite"),
        ("spectrum", lambda c: np.zeros((2, 96)), "spectra: sigma is not positive"),
        ("wavelength_um", lambda c: WAVELENGTHS_UM[::-1], "spectra: wavelengths do not increase"),
        ("wavelength_um", lambda c: WAVELENGTHS_UM + 1, "spectra: wavelengths are not those of"),
        ("description", lambda c: "long " * 200, "text_descriptions: the description has 1,000"),
        ("description", lambda c: "", "text_descriptions: the description is empty"),
        ("params", lambda c: np.full(11, -1.0), "planet_params: instellation is -1; give 0.3"),
        ("habitability", lambda c: 1.5, "habitability_label: is 1.5"),
    ],
)
def test_each_fault_is_one_sentence_that_names_planet_and_modality(
    name, change, said, cube, planets
):
    sample = replace(faulty("graph", 0, cube), **{name: change(cube)})
    with pytest.raises(DataError, match=r"^planet Vulcan: [^\n]*$") as caught:
        check_sample(sample, graphs_of(pathways_in(planets)))

    assert said in str(caught.value)


def test_a_planet_of_which_nothing_is_known_and_a_graph_without_nodes_are_refused(planets):
    graphs = graphs_of(pathways_in(planets))
    with pytest.raises(DataError, match="planet Vulcan: all modalities are missing"):
        check_sample(Sample("Vulcan", "Vulcan", "test", 0.5, 0.5), graphs)
    empty = replace(graphs.select([0]), node_counts=np.zeros(1, np.int64))
    with pytest.raises(DataError, match="planet Vulcan: bio_graphs: the metabolic graph has no"):
        check_sample(Sample("Vulcan", "Vulcan", "test", 0.5, 0.5, graph=0), empty)


@pytest.mark.parametrize(("variable", "value"), [(0, 452.0), (0, 99.0), (3, 1.1)])
def test_a_climate_that_no_record_has_is_left_out_whole(variable, value):
    inside = np.array([(q.low + q.high) / 2 for q in CUBE_VARIABLES], np.float32)
    cubes = np.tile(inside, (3, *CUBE_SHAPE[:3], 1))
    assert are_of_records(cubes).all()
    cubes[1, 4, 2, 11, variable] = value

    assert are_of_records(cubes).tolist() == [True, False, True]


def test_another_set_is_refused(planets):
    with pytest.raises(ConfigError, match="holds no planets"):
        planets_of(pathways_in(planets))
    assert planets_of(planets) is planets
    assert planets.arrays["climate_cubes"].shape[1:] == CUBE_SHAPE


def test_the_sets_are_catalogued():
    for name in ("mini_planets", "planets", "planets_natives", "gcm_planets"):
        data_set = catalog.load(catalog.DATA_SETS[name])
        assert data_set.name == name
        assert data_set.kind == "planets"


def test_a_spectrum_is_seen_by_its_signal_to_noise_and_its_noise():
    spectra = np.full((2, 2, 96), [[20.0], [2.0]], np.float32)
    presence = np.zeros((2, len(MODALITIES)), bool)
    presence[0, MODALITIES.index("spectra")] = True

    seen = normalised_spectra(spectra, presence)

    np.testing.assert_allclose(seen[0, 0], np.arcsinh(10) / 2, rtol=1e-6)
    np.testing.assert_allclose(seen[0, 1], np.log10(2), rtol=1e-6)
    assert not seen[1].any()
