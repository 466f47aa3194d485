"""The declared lists of currency metabolites."""

import csv
import gzip

import pytest

from assay.pathways.currency import LISTS, METACYC


def test_every_naming_has_water_protons_and_atp():
    water = {"metacyc": "WATER", "bigg": "h2o", "kegg": "C00001", "labels": "H2O", "names": "H2O"}
    energy = {"metacyc": "ATP", "bigg": "atp", "kegg": "C00002", "labels": "ATP", "names": "ATP"}

    for naming, names in LISTS.items():
        assert {water[naming], energy[naming]} <= names


@pytest.mark.data
def test_the_list_of_metacyc_is_what_its_graphs_were_made_with(assay_data):
    path = assay_data / "metabolic_metacyc_modelseed" / "compounds.csv.gz"
    with gzip.open(path, "rt") as file:
        removed = {row["id"] for row in csv.DictReader(file) if row["currency"] == "1"}

    assert removed == METACYC
