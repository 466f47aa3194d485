"""The metrics of MOSES written down a second time: one molecule, one pair, one name at a time.

They follow the paper's formulas (Polykovskiy et al. 2020, section 3.2) and share no code with
`assay.generation.metrics`.
"""

from collections import Counter

import numpy as np
import pytest
import scipy.stats
from rdkit import Chem, DataStructs
from rdkit.Chem import BRICS, QED, Crippen, rdFingerprintGenerator
from rdkit.Chem.Scaffolds import MurckoScaffold

from assay.generation.metrics import edm, moses
from assay.generation.metrics.protocol import Scoring
from tests.chemistry import geometries as g
from tests.generation.metrics import held

TEST = (*held.TEST, "C1CC2CC1C2", "CC1CC2OC2C1", "CCOCC", "CC(=O)NC", "C1CC2OC2C1")
OURS = (*held.TRAIN, "C1CC2CC1C2", "C1CC2CC1C2", "CC1CC2OC2C1", "CCOC", "CCOCC", "C1CC2OC2C1")


def molecules_of(packed):
    texts = [text for text in edm.smiles(packed, processes=1) if text is not None]
    return [Chem.MolFromSmiles(text) for text in texts]


def morgan(molecule):
    return rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=1024).GetFingerprint(molecule)


def similarities(ours, theirs):
    return np.array([[DataStructs.TanimotoSimilarity(a, b) for b in theirs] for a in ours])


def fragments(molecules):
    found = Counter()
    for molecule in molecules:
        found.update(Chem.MolToSmiles(BRICS.BreakBRICSBonds(molecule)).split("."))
    return found


def scaffolds(molecules):
    found = Counter()
    for molecule in molecules:
        scaffold = MurckoScaffold.GetScaffoldForMol(molecule)
        if Chem.GetSSSR(scaffold) and len(Chem.GetSSSR(scaffold)) >= 2:
            found[Chem.MolToSmiles(scaffold)] += 1
    return found


def cosine(ours, theirs):
    shared = sum(ours[name] * theirs[name] for name in ours)
    lengths = [sum(count**2 for count in counts.values()) ** 0.5 for counts in (ours, theirs)]
    return shared / (lengths[0] * lengths[1])


def slow(ours, theirs):
    from rdkit.Contrib.SA_Score import sascorer

    properties = {"qed": QED.qed, "sa": sascorer.calculateScore, "logp": Crippen.MolLogP}
    prints = [morgan(one) for one in ours], [morgan(one) for one in theirs]
    values = {name: [f(one) for one in ours] for name, f in properties.items()}
    found = {
        f"{name}_wasserstein": scipy.stats.wasserstein_distance(
            values[name], [f(one) for one in theirs]
        )
        for name, f in properties.items()
    }
    reached = set(scaffolds(ours)) & set(scaffolds(theirs))
    return found | {
        "qed": np.mean(values["qed"]),
        "sa": np.mean(values["sa"]),
        "internal_diversity": 1 - similarities(prints[0], prints[0]).mean(),
        "snn": similarities(*prints).max(axis=1).mean(),
        "fragments": cosine(fragments(ours), fragments(theirs)),
        "scaffolds": cosine(scaffolds(ours), scaffolds(theirs)),
        "scaffold_coverage": len(reached) / len(scaffolds(theirs)),
    }


def assert_agrees(ours, theirs):
    reference = held.Held(g.WATER, g.WATER, theirs)
    found = moses.MOSES().evaluate(Scoring(ours, reference))
    expected = slow(molecules_of(ours), molecules_of(theirs))
    assert {name.removeprefix("moses/") for name in found} == expected.keys()
    for name, value in expected.items():
        assert found[f"moses/{name}"].value == pytest.approx(value, rel=1e-6, abs=1e-9), name
    return expected


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path))


def test_small_molecules_agree():
    expected = assert_agrees(held.embedded(*OURS), held.embedded(*TEST))
    assert 0 < expected["scaffolds"] < 1
    assert 0 < expected["scaffold_coverage"] <= 1


@pytest.mark.data
def test_real_molecules_agree(assay_data):
    generator = np.random.default_rng(0)
    molecules, _ = g.real_qm9(assay_data)
    chosen = generator.permutation(len(molecules))
    assert_agrees(molecules.select(chosen[:120]), molecules.select(chosen[120:320]))


@pytest.mark.data
@pytest.mark.slow
def test_the_training_set_of_qm9_is_as_near_to_its_test_set_as_published(assay_data):
    """SNN 0.490, fragments 0.992, scaffolds 0.946: table 3 of arXiv 2503.15567, JODO's code."""
    molecules, split = g.real_qm9(assay_data)
    train = np.random.default_rng(0).permutation(np.flatnonzero(split == 0))[:10_000]
    reference = held.Held(g.WATER, g.WATER, molecules.select(np.flatnonzero(split == 2)))
    found = moses.MOSES().evaluate(Scoring(molecules.select(train), reference, processes=2))
    assert found["moses/snn"].value == pytest.approx(0.490, abs=0.004)
    assert found["moses/fragments"].value == pytest.approx(0.992, abs=0.002)
    assert found["moses/scaffolds"].value == pytest.approx(0.946, abs=0.01)
