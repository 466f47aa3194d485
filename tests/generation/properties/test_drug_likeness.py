"""logP and QED are RDKit's of the molecule that EDM's protocol sees."""

import numpy as np
from rdkit import Chem
from rdkit.Chem import QED, Crippen

from assay.generation.domain import MoleculeDomain
from assay.generation.metrics import edm
from assay.generation.properties.drug_likeness import DrugLikeness, LogP
from assay.store import sets


def test_values_are_those_of_the_smiles_and_invalid_molecules_have_none(mini):
    domain = MoleculeDomain(sets.open_packed("mini"), 1.72)
    molecules = domain.records.select(np.arange(60))
    molecules.positions[: molecules.n_atoms[0]] = np.inf

    logp, qed = LogP(domain).of(molecules), DrugLikeness(domain).of(molecules)

    texts = edm.smiles(molecules, processes=1)
    assert texts[0] is None
    for k, text in enumerate(texts):
        read = None if text is None else Chem.MolFromSmiles(text)
        expected = [np.nan, np.nan] if read is None else [Crippen.MolLogP(read), QED.qed(read)]
        np.testing.assert_array_equal([logp[k, 0], qed[k, 0]], expected)


def test_what_is_known_of_a_set_is_computed_once_and_kept(mini, tmp_path, monkeypatch):
    domain = MoleculeDomain(sets.open_packed("mini"), 1.72)
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path))
    first = LogP(domain).asked()

    monkeypatch.setattr(LogP, "of", lambda self, samples: 1 / 0)

    np.testing.assert_array_equal(LogP(domain).asked(), first)
    assert first.shape == (len(domain.records), 1)
