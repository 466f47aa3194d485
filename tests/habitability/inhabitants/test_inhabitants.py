"""Networks for a planet, from a cell that the test trains."""

import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from assay.cell import load_suite
from assay.errors import ConfigError, DataError
from assay.habitability.data.target import metabolic_habitability
from assay.habitability.inhabitants import world as worlds
from assay.habitability.inhabitants.caption import Described, caption, describe, whole
from assay.habitability.inhabitants.fidelity import Judged, asked_three_ways, compared, judged
from assay.habitability.inhabitants.judges import Judges
from assay.habitability.inhabitants.world import World, world_of
from assay.habitability.simulator.run import Climates
from assay.pathways.graphs import Pathway, pack
from assay.pathways.metrics.files import read_graphs
from assay.pathways.thermometer import Thermometer, temperatures_K
from assay.runner import cell_directory, run_cell
from assay.store import sets
from assay.task import Estimate
from assay.trained import open_trained
from assay.training.execution import Execution
from tests.pathways import made
from tests.test_cell import ROOT
from tests.test_cli import invoke

TINY = ("budget.steps=12", "training.batch_size=16", "training.validations=0",
        "settings.evaluation_graphs=4", "settings.validation_graphs=4", "seeds=[0]")  # fmt: skip


@pytest.fixture(scope="module")
def cache(prepared_planets) -> Path:
    """A cache that holds the mini set of pathways beside that of planets."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_CACHE", str(prepared_planets))
        patch.delenv("ASSAY_DATA", raising=False)
        sets.prepare("mini_pathways")
    return prepared_planets


@pytest.fixture
def both(cache, cached_planets) -> Path:
    """Both sets as this test finds them."""
    return cache


def train(storage: Path, *overrides: str) -> Path:
    suite = load_suite(ROOT / "sweeps" / "pathways_mini.yaml", (*TINY, *overrides))
    (one,) = suite.cells(sets.open_set("mini_pathways").digest)
    run_cell(one, Execution(), storage, lambda report: None)
    return cell_directory(storage, one.key)


@pytest.fixture(scope="module")
def folder(cache, tmp_path_factory) -> Path:
    """A Graph VAE that is told of the environment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_CACHE", str(cache))
        patch.delenv("ASSAY_DATA", raising=False)
        return train(tmp_path_factory.mktemp("runs"))


@pytest.fixture
def earth(tmp_path) -> Path:
    path = tmp_path / "earth.json"
    path.write_text('{"name": "the Earth", "oxygen_bar": 0.21}')
    return path


def a_world(mean_K: float = 300.0, oxygen_bar: float = 0.21) -> World:
    return World("Vulcan", "made", np.full((18, 12, 12), mean_K), oxygen_bar)


def test_the_command_writes_networks_with_captions_and_how_they_compare(
    both, folder, earth, tmp_path
):
    out = tmp_path / "networks.jsonl"

    said = invoke("sample", str(folder), "--planet", str(earth), "--count", "6", "--out", str(out))

    lines = [json.loads(line) for line in out.read_text().splitlines()]
    graphs, rejected = read_graphs(out)
    assert len(graphs) == len(lines) == 6
    assert not rejected
    assert graphs.environment_known.tolist() == [[False, True, True, False]] * 6
    for k, line in enumerate(lines):
        assert line["planet"] == "the Earth"
        assert line["env"] == {
            "temperature": pytest.approx(287, abs=3),
            "oxygen": pytest.approx(0.21),
        }
        assert line["names"] == line["nodes"], "the mini set has no other names"
        incoming = {edge["t"] for edge in line["edges"]}
        outgoing = {edge["s"] for edge in line["edges"]}
        assert line["sources"] == [line["nodes"][n] for n in sorted(outgoing - incoming)]
        assert line["sinks"] == [line["nodes"][n] for n in sorted(incoming - outgoing)]
        assert f"{len(line['nodes'])} compounds" in line["caption"]
        assert f"{int(graphs.edge_counts[k])} directed edges" in line["caption"]
        assert line["caption"].count("\n") == 0
        assert line["caption"].endswith(".")
    beside = json.loads((tmp_path / "networks.fidelity.json").read_text())
    assert beside["environment"]["pH"] is None
    names = {f"{what}/{how}" for what in ("oxygen", "temperature")
             for how in ("planet", "open", "shuffled", "beyond_shuffled", "real")}  # fmt: skip
    assert set(beside["fidelity"]) == names
    assert beside["verdict"] in " ".join(said.split())
    assert all(beside["verdict"] in line["caption"] for line in lines)


def test_json_is_all_that_is_printed(both, folder, tmp_path):
    out = tmp_path / "n.jsonl"
    planet = "mini_planets:" + _planet_with_a_cube()

    said = invoke("sample", str(folder), "--planet", planet, "--count", "2", "--out", str(out),
                  "--json")  # fmt: skip

    document = json.loads(said)
    assert document["samples"] == 2
    assert document["climate"] == "the climate cube of mini_planets"
    assert document["file"] == str(out)


def _planet_with_a_cube() -> str:
    from assay.habitability.data.samples import planets_of, texts_in

    packed = planets_of(sets.open_set("mini_planets"))
    row = int(np.flatnonzero(packed.arrays["cube_of"] >= 0)[0])
    return list(texts_in(packed, "names"))[row]


def _planet_without_a_cube(monkeypatch) -> str:
    from assay.habitability.data.samples import planets_of, texts_in

    packed = planets_of(sets.open_set("mini_planets"))
    gone = replace(packed, arrays={
        **packed.arrays, "cube_of": np.full_like(packed.arrays["cube_of"], -1),
    })  # fmt: skip
    monkeypatch.setattr(sets, "open_set", lambda name: gone)
    return next(iter(texts_in(packed, "names")))


def test_a_record_is_asked_for_by_its_own_cube_and_oxygen(both):
    """By the name of the planet, or of any of its records."""
    from assay.habitability.data.samples import planets_of, texts_in

    packed = planets_of(sets.open_set("mini_planets"))
    cube_of, names = packed.arrays["cube_of"], list(texts_in(packed, "names"))
    row = int(np.flatnonzero((cube_of >= 0) & (cube_of != np.arange(len(cube_of))))[-1])
    planet = names[row].partition(", guest")[0]

    world = world_of(f"mini_planets:{planet}")

    assert world.name == planet
    assert world.oxygen_bar == pytest.approx(float(packed.arrays["oxygen_bar"][row]))
    cube = packed.arrays["climate_cubes"][cube_of[row]]
    np.testing.assert_array_equal(world.temperature_JLM, cube[..., 0])
    again = world_of(f"mini_planets:{names[row]}")
    np.testing.assert_array_equal(again.temperature_JLM, cube[..., 0])
    assert world.environment_4[1] == pytest.approx(world.mean_K)
    assert world.known_4.tolist() == [False, True, True, False]


def test_the_same_noise_and_sizes_are_asked_three_ways(both, folder):
    trained = open_trained(folder)

    made_of = asked_three_ways(trained.task, trained.model, a_world(), 5, 7)
    again = asked_three_ways(trained.task, trained.model, a_world(), 5, 7)

    sizes = [graphs.node_counts.tolist() for graphs in made_of.values()]
    assert sizes[0] == sizes[1] == sizes[2]
    assert not made_of["open"].environment_known.any()
    assert made_of["planet"].environment_known[:, 1:3].all()
    assert not made_of["shuffled"].environment_known[:, [0, 3]].any()
    assert (again["planet"].nodes == made_of["planet"].nodes).all()
    other = asked_three_ways(trained.task, trained.model, a_world(oxygen_bar=0.0), 5, 7)
    assert (other["open"].nodes == made_of["open"].nodes).all()
    assert (other["planet"].environment[:, 2] == 0).all()


def estimates_of(planet: list[int], shuffled: list[int], oxygen_bar: float = 0.21):
    """As the classifier says that networks take up O2 (1) or not."""
    graphs = made.graphs().select(range(len(planet)))
    judges = replace(NOBODY, oxygen=lambda graphs: np.zeros(len(graphs), np.int64))
    found = {
        how: Judged(graphs, np.array(classes), None)
        for how, classes in (("planet", planet), ("open", planet), ("shuffled", shuffled))
    }
    return compared(found, judges, a_world(oxygen_bar=oxygen_bar))


NOBODY = Judges(None, None, None, None, float("nan"), None)


def test_what_is_owed_to_the_planet_is_beyond_the_shuffled_network_by_network():
    found = estimates_of([1, 1, 1, 0], [0, 1, 0, 0])

    assert found["oxygen/planet"].value == 0.75
    assert found["oxygen/shuffled"].value == 0.25
    assert found["oxygen/beyond_shuffled"].value == 0.5
    assert found["oxygen/beyond_shuffled"].low <= 0.5 <= found["oxygen/beyond_shuffled"].high
    assert estimates_of([1, 1, 1, 0], [0, 1, 0, 0], 0.0)["oxygen/planet"].value == 0.25


def test_the_verdict_promises_nothing_that_was_not_found():
    alike = whole(estimates_of([1, 0] * 6, [0, 1] * 6))
    better = whole(estimates_of([1] * 12, [0] * 12))
    worse = whole(estimates_of([0] * 12, [1] * 12))

    assert "50% of those asked for this planet" in alike
    fit = "fit its air, taking up O2 where there are more than 0.105 bar of it and none where not"
    assert fit in alike
    assert "cannot be told from others, and nothing here is shown to be owed to the planet" in alike
    assert whole(estimates_of([1], [0])) == (
        "Of 1 network it cannot be judged whether they heed the planet's O2; ask for 10 or more."
    )
    assert better.endswith("the request shows in their O2.")
    assert worse.endswith("the request shows in their O2 the wrong way.")
    assert whole({}) == "Whether networks heed the planet's O2 cannot be judged on this data set."


def test_what_is_said_of_a_network_is_computed_from_it():
    graphs = pack([Pathway(id="p", nodes=["a", "b", None, "d"], edges=[(0, 1), (1, 3), (2, 1)],
                           reversible=[True, False, False])])  # fmt: skip
    real = Estimate(value=0.8, low=0.7, high=0.9, n=9, version="1", better="higher")
    error = real.model_copy(update={"value": 6.0})
    judges = Judges(None, real, None, error, 10.0, (290.0, 340.0))
    world = a_world(285.0)
    found = Judged(graphs, np.array([1]), np.array([300.0]))

    of = describe(found, 0, ["alpha", "beta", "", "delta"], judges, world)
    text = caption(of, world, judges, {})

    assert of == Described(4, 3, 1, ["alpha", ""], ["delta"], True, 300.0, (290.0, 310.0), 0.0)
    assert text == (
        "A generated network of 4 compounds and 3 directed edges, 1 of them reversible. It begins "
        "with alpha and an unnamed compound and ends in delta, edges taken as they are written. By "
        "a classifier, right of 80% (70% to 90%) of held-out real networks, both classes counted "
        "alike, it takes up O2; the 0.21 bar of O2 of Vulcan are above "
        "0.105 bar. It is taken for a network of 300 K, 15 "
        "K above the planet's mean of 285 K; of real ones that guess is off by 6 K on average. "
        "The planet's mean lies outside "
        "the 290 to 340 K of the networks that the model learnt from. With a window of 290 to 310 "
        "K, that guess and its error, and a need for 0.0021 bar of O2, 0% of the area and year of "
        "Vulcan would suit it (metabolic habitability, a rule). Whether networks heed the planet's "
        "O2 cannot be judged on this data set."
    )
    warm = describe(found, 0, ["a", "b", "", "d"], judges, a_world(305.0))
    assert warm.habitability == metabolic_habitability(
        np.full((1, 18, 12, 12), 305.0), np.array([[290.0, 310.0]]), np.array([1]), np.array([0.21])
    )
    assert warm.habitability == pytest.approx(1)
    assert describe(found, 0, ["a"] * 4, judges, a_world(305.0, 1e-6)).habitability == 0


def test_what_nobody_can_judge_is_not_stated():
    graphs = made.graphs().select([0])
    of = describe(judged(graphs, NOBODY), 0, graphs.names_of(0), NOBODY, a_world())

    text = caption(of, a_world(), NOBODY, {})

    assert (of.consumes_oxygen, of.temperature_K, of.window_K, of.habitability) == (None,) * 4
    assert "Whether it takes up O2 cannot be judged" in text
    assert "Which temperature it is of cannot be judged" in text
    assert "How much of the planet would suit it is not computed." in text
    assert "%" not in text


def test_without_a_temperature_the_air_alone_is_judged():
    graphs = made.graphs().select([0])
    found = Judged(graphs, np.array([1]), None)

    def said(oxygen_bar: float) -> str:
        world = a_world(oxygen_bar=oxygen_bar)
        of = describe(found, 0, graphs.names_of(0), NOBODY, world)
        assert of.habitability is None
        return caption(of, world, NOBODY, {})

    fit = "With a need for 0.0021 bar of O2, the air of Vulcan would {} it; how much of the area"
    assert fit.format("suit") in said(0.21)
    assert fit.format("not suit") in said(1e-6)


def test_a_thermometer_that_real_networks_do_not_bear_out_is_no_judge(both, folder, monkeypatch):
    """Of the mini set, in which temperature goes with O2, it is one."""
    task = open_trained(folder).task
    judges = Judges.of(task)

    assert judges.thermometer is not None
    assert judges.error_K is not None
    assert judges.error_K.value < 12, "the two temperatures are 35 K apart"
    assert judges.spread_K >= judges.error_K.value
    assert judges.range_K == pytest.approx((298.15, 333.15))

    learnt = Thermometer.errors_K

    def as_the_mean_does(self, graphs):
        true_K = learnt(self, graphs)[1]
        return self.mean_K - true_K, true_K

    monkeypatch.setattr(Thermometer, "errors_K", as_the_mean_does)
    without = Judges.of(task)
    assert without.thermometer is None
    assert without.error_K is None
    assert np.isnan(without.spread_K)


def test_a_thermometer_learns_what_compounds_tell():
    """One compound goes with heat: known by hand, and so told."""
    nodes = [["a", "b", "h" if k % 2 else "c"] for k in range(40)]
    graphs = pack(
        Pathway(id=f"p{k}", nodes=names, edges=[(0, 1), (1, 2)],
                environment=(None, 350.0 if k % 2 else 300.0, None, None))
        for k, names in enumerate(nodes)
    )  # fmt: skip
    features = np.eye(len(graphs.compounds), dtype=np.float32)

    found = Thermometer.learnt(graphs.select(range(20)), graphs.select(range(20, 30)), features)

    assert found is not None
    assert found(graphs.select([30, 31])) == pytest.approx([300, 350], abs=3)
    off_K, true_K = found.errors_K(graphs.select([30, 31]))
    assert true_K.tolist() == [300, 350]
    assert off_K == pytest.approx(found(graphs.select([30, 31])) - true_K)
    blind = replace(graphs, environment_known=np.zeros((40, 4), bool))
    assert np.isnan(temperatures_K(blind)).all()
    assert Thermometer.learnt(blind, graphs, features) is None


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({}, ConfigError, r"world.json: key 'oxygen_bar' is required"),
        ({"oxygen_bar": 0.2, "tilt": 3}, ConfigError, "unknown key 'tilt'"),
        ({"oxygen_bar": -1}, ConfigError, "oxygen_bar: input should be greater than"),
        ({"oxygen_bar": 5}, ConfigError, "oxygen_bar: input should be less than or equal to 1"),
        ({"oxygen_bar": 0.2, "instellation": 9}, DataError, "instellation is 9; give 0.3 to 1.6"),
        ({"oxygen_bar": 0.2, "year_d": 20}, DataError, "too short for seasons; lock its rotation"),
        ({"oxygen_bar": 0.2, "ocean_fraction": 2}, DataError, "ocean fraction is outside"),
    ],
)  # fmt: skip
def test_an_unphysical_planet_is_one_sentence(tmp_path, given, error, said):
    path = tmp_path / "world.json"
    path.write_text(json.dumps(given))
    with pytest.raises(error, match=said) as caught:
        world_of(str(path))

    assert "\n" not in str(caught.value)


def test_a_climate_that_no_record_has_is_refused(earth, monkeypatch):
    def boiled(planets, physics) -> Climates:
        shape = (1, 18, 12, 12)
        told = {f.name: np.full(shape, 250.0) for f in fields(Climates) if f.name != "drift_K"}
        hot = {"temperature_K": np.full(shape, 460.0), "frozen": np.zeros(shape)}
        return Climates(**{**told, **hot}, drift_K=np.zeros(1))

    monkeypatch.setattr(worlds, "simulate", boiled)
    with pytest.raises(DataError, match="planet the Earth: climate_cubes: surface_temperature is"):
        world_of(str(earth))


def test_a_planet_that_is_not_there_is_one_sentence(both):
    with pytest.raises(ConfigError, match=r"give a file that ends in \.json, or"):
        world_of("Vulcan")
    with pytest.raises(ConfigError, match="mini_planets: has no planet 'Sampled-0001'; did you"):
        world_of("mini_planets:Sampled-0001")
    with pytest.raises(ConfigError, match="mini_pathways: holds no planets"):
        world_of("mini_pathways:Vulcan")
    with pytest.raises(ConfigError, match="unknown data set 'mini_planet'"):
        world_of("mini_planet:Vulcan")
    with pytest.raises(DataError, match="not readable as JSON"):
        world_of("nowhere.json")


def test_a_planet_of_which_no_record_has_a_cube_is_refused(both, monkeypatch):
    name = _planet_without_a_cube(monkeypatch)
    with pytest.raises(DataError, match="has no climate cube; take another"):
        world_of(f"mini_planets:{name}")


def test_a_locked_planet_has_no_seasons_unless_it_is_given_them(tmp_path):
    path = tmp_path / "locked.json"
    path.write_text('{"oxygen_bar": 0, "locked": true, "year_d": 12, "star_K": 3000}')
    world = world_of(str(path))

    day, night = world.temperature_JLM[9, 0], world.temperature_JLM[9, 6]
    assert (day > night + 10).all()
    assert world.environment_4[2] == 0
    path.write_text('{"oxygen_bar": 0, "locked": true, "year_d": 12, "obliquity_deg": 9}')
    with pytest.raises(DataError, match="is tidally locked and has seasons"):
        world_of(str(path))


def test_what_cannot_be_asked_is_one_sentence(both, folder, earth, tmp_path):
    out = str(tmp_path / "n.jsonl")
    with pytest.raises(ConfigError, match=r"networks are written as \.jsonl"):
        invoke("sample", str(folder), "--planet", str(earth), "--out", str(tmp_path / "n.npz"))
    with pytest.raises(ConfigError, match="--set: nothing of it bears on networks for a planet"):
        invoke("sample", str(folder), "--planet", str(earth), "--out", out, "--set",
               "settings.evaluation_graphs=4")  # fmt: skip
    with pytest.raises(ConfigError, match="draws no samples; give --planet"):
        invoke("sample", str(folder), "--out", str(tmp_path / "n.npz"))
    deaf = train(tmp_path / "deaf", "settings.model.environment=none")
    with pytest.raises(ConfigError, match="is told of no environment, so that it cannot be asked"):
        invoke("sample", str(deaf), "--planet", str(earth), "--count", "2", "--out", out)
