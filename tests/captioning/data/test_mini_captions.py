import re

import numpy as np
import pytest
from rdkit import Chem

from assay.captioning.data.captions import splits
from assay.captioning.data.mini_captions import (
    MINI_CAPTIONS,
    split_code,
    without_stereo,
)
from assay.captioning.data.mini_wording import describe, listed
from assay.store import sets


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.delenv("ASSAY_DATA", raising=False)
        yield sets.prepare("mini_captions")


@pytest.mark.parametrize(
    ("smiles", "facts"),
    [
        ("OC(=O)c1cccnc1", ["a carboxylic acid", "a pyridine ring", "six carbon atoms"]),
        ("C[C@H](N)C(=O)O", ["a carboxylic acid", "an amine", "one (S)-stereocentre"]),
        ("[NH3+]CC/C=C/CO", ["one (E)-double bond", "charge", "+1", "without a ring"]),
        ("O=C([O-])CCC[NH3+]", ["a carboxylate", "an ammonium ion", "Its charges cancel."]),
        ("CC1CCCCC1", ["a hydrocarbon", "a cyclohexane ring", "seven carbon atoms"]),
        ("Clc1ccc2ccccc2c1", ["an organochlorine compound", "a naphthalene ring", "ten carbon"]),
    ],
)
def test_a_caption_says_what_is_there(smiles, facts):
    caption = describe(smiles)

    assert caption.startswith("The molecule is")
    assert [fact for fact in facts if fact not in caption] == []


def test_classes_exclude_what_only_looks_like_them():
    """An ester is no ether, ketone or alcohol; an acid no alcohol; a nitro group no carboxylate."""
    assert "ether" not in describe("COC(=O)C")
    assert "ketone" not in describe("COC(=O)C")
    assert "alcohol" not in describe("CC(=O)O")
    assert "amine" not in describe("CC(N)=O")
    assert "ammonium" not in describe("C[N+](=O)[O-]")


def test_wordings_vary_and_are_always_the_same(packed):
    made = splits(packed).train.smiles[:200]
    captions = [describe(smiles) for smiles in made]
    shapes = {re.sub(r"(is|has|of|built) .*?\.", "", caption) for caption in captions}

    assert captions == [describe(smiles) for smiles in made]
    assert len(shapes) > 10


def test_the_set_is_what_the_documentation_says(packed):
    assert packed.counts == (1_117, 154, 136)
    assert packed.description.startswith("1,407 enumerated molecules with captions by templates")
    smiles = splits(packed).train.smiles
    assert all(Chem.CanonSmiles(one) == one for one in smiles[:100])


def test_stereoisomers_are_in_one_split(packed):
    of = {}
    for split in ("train", "validation", "test"):
        for smiles in getattr(splits(packed), split).smiles:
            of.setdefault(without_stereo(smiles), set()).add(split)

    assert {len(found) for found in of.values()} == {1}
    assert split_code("C[C@H](O)CN") == split_code("C[C@@H](O)CN")


def test_the_rules_make_the_same_set_again(packed):
    again = MINI_CAPTIONS.build("rules", lambda phase, fraction: None)

    for name, array in packed.arrays.items():
        assert np.array_equal(array, again.arrays[name]), name


def test_lists_are_joined_as_in_prose():
    assert listed(["a"]) == "a"
    assert listed(["a", "b"]) == "a and b"
    assert listed(["a", "b", "c"]) == "a, b and c"
