"""The suites for protocols, data sets and families: ours pass them, and what is wrong is found."""

from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
import torch

from assay import catalog
from assay.chemistry.molecules import Molecules
from assay.conformance import ConformanceError, data_sets, families, protocols
from assay.conformance.checks import claim
from assay.conformance.data_sets import DataSetUnderTest
from assay.conformance.families import FamilyUnderTest
from assay.conformance.targets import outcomes
from assay.errors import ConfigError
from assay.generation.metrics.edm import EDM
from assay.generation.metrics.protocol import Scoring, ScoringProtocol, share
from assay.store import sets
from assay.store.sets import Built
from assay.task import Estimate
from tests.store.sets_for_tests import Many
from tests.training.toy import ToyTask, toy_cell


@pytest.mark.parametrize("check", protocols.CHECKS, ids=claim)
def test_edm_is_a_protocol(mini, check):
    check(EDM())


class AgainstTheFirst(ScoringProtocol[Molecules]):
    """Holds samples against the first of a file, and says so under another name."""

    name: ClassVar[str] = "first"
    version: ClassVar[str] = "1"

    def evaluate(self, scoring: Scoring[Molecules]) -> dict[str, Estimate]:
        n_atoms = scoring.samples.n_atoms
        smaller = int((n_atoms < n_atoms[0]).sum()) + scoring.rejected
        return {"whole/smaller": share(self, smaller, len(n_atoms) + scoring.rejected)}


@pytest.mark.parametrize(
    "check",
    [
        protocols.names_are_protocol_and_metric,
        protocols.the_order_of_samples_does_not_matter,
        protocols.what_could_not_be_read_never_helps,
    ],
    ids=claim,
)
def test_a_protocol_that_is_none_is_found(mini, check):
    with pytest.raises(ConformanceError):
        check(AgainstTheFirst())


class Sound(Many):
    """Says of what kind its records are, too."""

    kind = "molecules"


@pytest.mark.parametrize("check", data_sets.CHECKS, ids=claim)
def test_a_sound_data_set_passes(check):
    check(DataSetUnderTest(Sound()))


def test_a_data_set_that_does_not_say_what_it_is_is_found():
    with pytest.raises(ConformanceError, match="kind is missing"):
        data_sets.it_says_what_it_is(DataSetUnderTest(Many()))


class Harmed(Sound):
    """A data set with something wrong in it."""

    def __init__(self, name: str, harm) -> None:
        self.name, self._harm, self._builds = name, harm, 0

    def build(self, source, watch) -> Built:
        built = super().build(source, watch)
        self._builds += 1
        arrays = {key: array.copy() for key, array in built.arrays.items()}
        self._harm(arrays, self._builds)
        return Built(arrays, built.description)


@pytest.mark.parametrize(
    ("check", "harm"),
    [
        (data_sets.every_record_has_an_id_of_its_own_and_a_split,
         lambda arrays, k: arrays["ids"].__setitem__(0, arrays["ids"][1])),
        (data_sets.every_record_has_an_id_of_its_own_and_a_split,
         lambda arrays, k: arrays["split"].__setitem__(slice(None), 0)),
        (data_sets.its_numbers_are_finite,
         lambda arrays, k: arrays["positions"].__setitem__((3, 1), np.nan)),
        (data_sets.building_again_gives_the_same_digest,
         lambda arrays, k: arrays["ids"].__setitem__(0, 10_000 + k)),
    ],
    ids=["twice", "no test", "nan", "another digest"],
)  # fmt: skip
def test_a_harmed_data_set_is_found(check, harm):
    with pytest.raises(ConformanceError):
        check(DataSetUnderTest(Harmed("many", harm)))


class OfItsOwn(ToyTask):
    """Draws from a generator's running state, and holds a parameter that nothing reaches."""

    def loss(self, model, batch, stage, step):
        found = super().loss(model, batch, stage, step)
        return type(found)(found.total * torch.rand(()), found.parts)

    def model(self, data):
        made = super().model(data)
        made.register_parameter("idle", torch.nn.Parameter(torch.ones(1)))
        return made


@pytest.fixture
def toy(monkeypatch):
    def use(path: str) -> FamilyUnderTest:
        monkeypatch.setattr(catalog, "FAMILIES", {**catalog.FAMILIES, "toy": path})
        packed = SimpleNamespace(digest="0" * 16)
        monkeypatch.setattr(sets, "prepare", lambda name: packed)
        return FamilyUnderTest(toy_cell("staged"))

    return use


@pytest.mark.parametrize("check", families.CHECKS, ids=claim)
def test_the_toy_family_passes(toy, check):
    check(toy("tests.training.toy:ToyTask"))


@pytest.mark.parametrize(
    "check",
    [
        families.a_replayed_step_has_the_same_loss,
        families.the_loss_is_finite_and_every_trained_parameter_has_a_gradient,
    ],
    ids=claim,
)
def test_a_family_that_draws_from_a_running_state_is_found(toy, check):
    subject = toy(f"{__name__}:OfItsOwn")

    with pytest.raises(ConformanceError):
        check(subject)


@pytest.mark.parametrize(
    ("target", "options", "sentence"),
    [
        ("assay.cell", {}, "name a class as package.module:Name"),
        ("assay.cell:Cell", {}, "is neither a class that derives from Denoiser"),
        ("assay.interactions.task:InteractionsTask", {}, "name a cell of it with --cell"),
        ("assay.generation.metrics.edm:EDM", {"overrides": ("a=1",)}, "--set is for architectures"),
        ("assay.generation.architectures.gnn:GNN", {"overrides": ("a",)}, "expected key=value"),
    ],
)
def test_what_cannot_be_checked_is_refused_in_words(target, options, sentence):
    with pytest.raises(ConfigError, match=sentence):
        list(outcomes(target, **options))


def test_an_architecture_is_paired_with_every_process_and_says_what_fails():
    found = list(outcomes("assay.generation.architectures.gnn:GNN", ("widthh=3",)))

    assert {each.subject for each in found} == {
        "flow_matching", "diffusion", "stochastic_interpolant",
    }  # fmt: skip
    assert len(found) == 3 * 14
    assert all("widthh" in str(each.violation) for each in found)
