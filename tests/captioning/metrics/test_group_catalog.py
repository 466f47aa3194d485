"""Every group of the catalogue: a text that names it, a molecule that has it, one that does not."""

import pytest
from rdkit import Chem

from assay.captioning.metrics.claims import claims
from assay.captioning.metrics.consistency import groups_of
from assay.captioning.metrics.group_catalog import GROUPS

EXAMPLES = {
    "alcohol": ("a primary alcohol", "CCO", "CC=O"),
    "phenol": ("a member of phenols", "Oc1ccccc1", "OCc1ccccc1"),
    "ether": ("a diether", "COC", "CC(=O)OC"),
    "methoxy": ("a methoxy group", "COc1ccccc1", "CCOCC"),
    "aldehyde": ("a benzaldehyde", "O=Cc1ccccc1", "CC(C)=O"),
    "ketone": ("an aromatic ketone", "CC(C)=O", "CC=O"),
    "carboxylic acid": ("a carboxy group", "CC(=O)[O-]", "CC(=O)OC"),
    "ester": ("a methyl ester", "CC(=O)OC", "CC(=O)O"),
    "lactone": ("a gamma-lactone", "O=C1CCCO1", "CC(=O)OC"),
    "epoxide": ("an epoxide", "CC1CO1", "C1CCO1"),
    "glycoside": ("a glycoside", "COC1CCCCO1", "C1CCCCO1"),
    "amine": ("a tertiary amine", "CN(C)C", "CC(=O)N"),
    "amide": ("a carboxamide", "CC(=O)NC", "CCN"),
    "lactam": ("a lactam", "O=C1CCCN1", "CC(=O)NC"),
    "nitrile": ("a nitrile", "CC#N", "CC#C"),
    "nitro": ("a C-nitro group", "C[N+](=O)[O-]", "CN=O"),
    "carbamate": ("a carbamate ester", "COC(=O)N", "CC(=O)N"),
    "quaternary ammonium": ("a quaternary ammonium ion", "C[N+](C)(C)C", "CN(C)C"),
    "thiol": ("a thiol", "CS", "CSC"),
    "sulfide": ("a methyl sulfide", "CSC", "CS"),
    "disulfide": ("a disulfide", "CSSC", "CSC"),
    "sulfoxide": ("a sulfoxide", "CS(C)=O", "CSC"),
    "sulfone": ("a sulfone", "CS(C)(=O)=O", "CS(C)=O"),
    "sulfonamide": ("a sulfonamide", "CS(=O)(=O)N", "CS(C)(=O)=O"),
    "sulfonic acid": ("an arenesulfonic acid", "CS(=O)(=O)O", "CS(C)(=O)=O"),
    "sulfate": ("a steroid sulfate", "COS(=O)(=O)O", "CS(=O)(=O)O"),
    "phosphate": ("a monoalkyl phosphate", "COP(=O)(O)O", "CP(=O)(O)O"),
    "fluorine": ("an organofluorine compound", "CF", "CCl"),
    "chlorine": ("an organochlorine compound", "CCl", "CF"),
    "bromine": ("an organobromine compound", "CBr", "CF"),
    "iodine": ("an organoiodine compound", "CI", "CF"),
    "benzene": ("a member of benzenes", "Cc1ccccc1", "C1CCCCC1"),
    "pyridine": ("a member of pyridines", "c1ccncc1", "c1ccccc1"),
    "pyrimidine": ("an aminopyrimidine", "c1cncnc1", "c1ccncc1"),
    "imidazole": ("a member of imidazoles", "c1c[nH]cn1", "c1cc[nH]c1"),
    "piperidine": ("a member of piperidines", "C1CCNCC1", "c1ccncc1"),
    "indole": ("a member of indoles", "c1ccc2[nH]ccc2c1", "c1ccccc1"),
    "quinoline": ("a quinoline", "c1ccc2ncccc2c1", "c1ccncc1"),
    "thiazole": ("a member of 1,3-thiazoles", "c1cscn1", "c1ccsc1"),
    "furan": ("a member of furans", "c1ccoc1", "c1ccsc1"),
}


def test_every_group_has_an_example_and_a_name_of_its_own():
    assert [group.key for group in GROUPS] == list(EXAMPLES)
    assert 28 <= len(GROUPS) <= 40


@pytest.mark.parametrize("key", EXAMPLES)
def test_a_group_is_found_in_its_text_and_in_its_graph_only(key):
    text, with_it, without_it = EXAMPLES[key]

    assert key in claims(f"The molecule is {text}.").present
    assert key in groups_of(Chem.MolFromSmiles(with_it))
    assert key not in groups_of(Chem.MolFromSmiles(without_it))
