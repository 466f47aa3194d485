"""Stability of alloys by effective medium theory, whose energies can be had in milliseconds."""

import io
import json

import numpy as np
import pytest
from rich.console import Console

from assay.chemistry.npz import write_npz
from assay.errors import ConfigError, MachineError
from assay.generation import catalog
from assay.generation.energies.evaluator import Relaxed
from assay.generation.metrics import evaluate, sun
from assay.generation.metrics.protocol import Scoring
from assay.generation.metrics.sun import SUN
from tests.generation.energies.potentials import EMT
from tests.generation.metrics import crystal_samples as c

CORNERS = [c.ORIGIN, (0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0)]


def metal(symbol, a):
    return c.crystal(c.fcc(a), symbol, [c.ORIGIN])


def alloy(symbols, a):
    return c.crystal(np.eye(3) * a, symbols, CORNERS)


COPPER_GOLD = c.crystal(np.diag([2.8, 2.8, 3.75]), "Cu Au", [c.ORIGIN, c.HALF])
TRAIN = c.pack(
    metal("Cu", 3.6), metal("Au", 4.06), metal("Ag", 4.07), metal("Pd", 3.88), COPPER_GOLD
)
STABLE = alloy("Pd Cu Cu Cu", 3.8)
"""33 meV an atom below copper and palladium, in this theory."""
METASTABLE = c.crystal(np.eye(3) * 3.16, "Ag Pd", [c.ORIGIN, c.HALF])
"""Caesium chloride's structure: 76 meV an atom above its metals."""
NEAR = c.crystal(np.eye(3) * 3.6, "Cu Cu", [c.ORIGIN, (0.05, 0, 0)])
SAMPLES = c.pack(STABLE, c.COPPER, c.doubled(STABLE), METASTABLE, c.ROCK_SALT, NEAR)


@pytest.fixture
def reference(monkeypatch, tmp_path):
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path))
    return c.Held(TRAIN, TRAIN, c.pack(STABLE, c.COPPER))


def scored(samples, reference, **options) -> dict:
    estimates = SUN(EMT()).evaluate(Scoring(samples, reference, **options))
    return {name.removeprefix("sun/"): estimate for name, estimate in estimates.items()}


def test_shares_are_of_all_samples(reference):
    found = scored(SAMPLES, reference, rejected=1)

    assert {name: one.n for name, one in found.items()} == {
        "judged": 7, "stable": 7, "stable_unique_novel": 7, "metastable": 7,
        "metastable_unique_novel": 7, "above_hull": 4,
    }  # fmt: skip
    sevenths = {name: round(one.value * 7, 9) for name, one in found.items()}
    # Rock salt has no energy, one crystal's atoms are too near, one record could not be read.
    assert sevenths["judged"] == 4
    # Twice one new alloy, and copper, which is known.
    assert (sevenths["stable"], sevenths["stable_unique_novel"]) == (3, 1)
    assert (sevenths["metastable"], sevenths["metastable_unique_novel"]) == (4, 2)


def test_what_is_denser_than_any_crystal_is_not_given_to_a_potential(reference, monkeypatch):
    # Atoms of 0.9 Å³, the nearest 0.96 Å away: structurally valid in the sense of CDVAE.
    dense = metal("Cu", (4 * 0.9) ** (1 / 3))
    monkeypatch.setattr(EMT, "relaxed", lambda self, some: pytest.fail(str(len(some))))

    assert scored(dense, reference)["judged"].value == 0


def test_what_falls_into_itself_when_it_is_relaxed_is_not_judged(reference, monkeypatch):
    fallen = Relaxed(metal("Cu", (4 * 0.9) ** (1 / 3)), np.array([-50.0]))
    monkeypatch.setattr(sun, "relaxed", lambda *given: fallen)

    found = scored(c.COPPER, reference)
    assert (found["judged"].value, found["stable"].value) == (0, 0)


def test_heights_above_the_hull_are_of_relaxed_crystals(reference):
    found = scored(c.pack(METASTABLE, METASTABLE), reference)["above_hull"]

    assert found.value == pytest.approx(0.0755, abs=0.002)
    assert (found.n, found.better) == (2, "lower")
    assert "above_hull" not in scored(METASTABLE, reference)


def test_every_number_names_the_potential(reference):
    assert {one.version for one in scored(SAMPLES, reference).values()} == {"2: emt of ase"}


def test_without_a_reference_there_is_no_hull():
    assert SUN(EMT()).evaluate(Scoring(SAMPLES)) == {}


def test_energies_of_a_reference_are_computed_once(reference, monkeypatch):
    first = scored(SAMPLES, reference)
    monkeypatch.setattr(sun, "energies", None)

    assert scored(SAMPLES, reference) == first


def test_only_so_many_are_relaxed_and_the_rest_is_not_counted(reference, monkeypatch):
    monkeypatch.setattr(sun, "RELAXED", 3)

    found = scored(SAMPLES, reference, rejected=2)
    assert found["judged"].n == 3
    assert found["judged"].low <= found["judged"].value <= found["judged"].high


def test_two_potentials_of_one_version_share_no_energies(reference, monkeypatch):
    class Other(EMT):
        name = "other"

    scored(SAMPLES, reference)
    asked = []
    monkeypatch.setattr(
        sun, "energies", lambda of, some, processes: asked.append(of.name) or np.zeros(len(some))
    )
    found = SUN(Other()).evaluate(Scoring(c.COPPER, reference))

    assert asked == ["other"]
    assert found["sun/stable"].version == "2: other of ase"


@pytest.mark.parametrize(("package", "there"), [("ase", False), ("smact", True)])
def test_it_needs_ase_and_no_other_protocols_packages(monkeypatch, package, there):
    monkeypatch.setattr(
        "assay.generation.metrics.protocol.find_spec", lambda name: None if name == package else 1
    )

    sentence = f"{package} is not installed; run `pip install 'assay-bench[crystals]'`"
    assert SUN(EMT()).lacks() == (None if there else sentence)


def test_a_potential_that_is_not_there_says_how_to_install_it(reference, monkeypatch):
    monkeypatch.setattr(EMT, "lacks", lambda self: "emt is not installed; run `pip`")

    with pytest.raises(MachineError, match="protocol sun: emt is not installed"):
        scored(SAMPLES, reference)


# --- files --------------------------------------------------------------------------------------


@pytest.fixture
def held(reference, monkeypatch):
    """The alloys as a prepared data set of the name `alloys`, and EMT in the catalog."""
    data = type("Data", (), {"description": "five alloys"})()
    object.__setattr__(reference, "data", data)
    monkeypatch.setattr(evaluate, "open_crystals", {"alloys": reference}.__getitem__)
    monkeypatch.setitem(catalog.ENERGIES, "emt", "tests.generation.energies.potentials:EMT")
    return reference


def test_a_file_is_judged_by_the_potential_that_is_named(held, tmp_path):
    write_npz(tmp_path / "alloys.npz", c.pack(STABLE, c.COPPER, METASTABLE))
    document = evaluate.evaluate_crystals(
        tmp_path / "alloys.npz", "alloys", 1, ["matcher"], energies="emt"
    )

    json.dumps(document, allow_nan=False)
    assert document["provenance"]["protocols"] == {"matcher": "1", "sun": "2: emt of ase"}
    assert document["metrics"]["sun/stable"]["value"] == pytest.approx(2 / 3)
    row = document["provenance"]["reference"]
    assert row["records"]["sun"] == "2 of 2 of the test split"
    assert row["metrics"]["sun/stable_unique_novel"]["value"] == pytest.approx(1 / 2)
    shown = io.StringIO()
    Console(file=shown, width=100).print(evaluate.table(document))
    assert "sun, version 2: emt of ase" in shown.getvalue()


def test_a_potential_must_be_known_and_have_a_reference(held, tmp_path):
    write_npz(tmp_path / "alloys.npz", STABLE)

    with pytest.raises(ConfigError, match=r"emt: the hull is of a data set: give --reference"):
        evaluate.evaluate_crystals(tmp_path / "alloys.npz", None, 1, energies="emt")
    with pytest.raises(ConfigError, match=r"potential 'chgnett'.*chgnet"):
        evaluate.evaluate_crystals(tmp_path / "alloys.npz", "alloys", 1, energies="chgnett")


def test_without_a_potential_nobody_is_called_stable(held, tmp_path):
    write_npz(tmp_path / "alloys.npz", STABLE)
    document = evaluate.evaluate_crystals(tmp_path / "alloys.npz", "alloys", 1, ["matcher"])

    assert not [name for name in document["metrics"] if name.startswith("sun")]
