"""What the published tables give the composed sets, where ASSAY_DATA is set."""

import numpy as np
import pytest

from assay.errors import DataError
from assay.habitability.data.gcm_planets import (
    COLUMNS,
    FOLDS,
    GCM_PLANETS,
    METRICS,
    fold_of,
    planets_of_metrics,
)
from assay.habitability.data.organisms import candidates, choose, read_species, read_taxa
from assay.habitability.data.planets import PLANETS
from assay.habitability.data.population import dress, read_catalogue
from assay.pathways.data.tables import rows

pytestmark = pytest.mark.data


def test_catalogued_planets_have_a_surface_and_come_in_guises(assay_data):
    known = read_catalogue(assay_data / "exoplanet_catalog")
    bodies = dress(known, 2, 0)

    names = [one.name for one in known]
    assert "TRAPPIST-1 e" in names
    assert len(names) == len(set(names)) > 20
    assert all(0.5 <= one.radius_earths <= 1.8 for one in known)
    assert bodies.planets.names[:2] == [f"{names[0]} #1", f"{names[0]} #2"]
    assert bodies.splits[0] == bodies.splits[1]
    at = names.index("TRAPPIST-1 e") * 2
    assert bodies.planets.locked[at]
    assert bodies.planets.rotation_d[at] == pytest.approx(6.1, abs=0.1)


def test_organisms_are_of_the_taxa_of_their_network(assay_data):
    species = read_species(assay_data / "organism_environment")
    taxa = read_taxa(assay_data / "metabolic_metacyc_modelseed")

    among = {name: candidates(own, species, False) for name, own in taxa.items()}
    assert sum(map(bool, among.values())) > 100
    assert all(one.lowest_K < one.highest_K for own in among.values() for one in own)
    breathing = candidates(taxa["PHOSLIPSYN-PWY"], species, True)
    assert breathing
    assert not any(one.anaerobe for one in breathing)
    assert choose(np.random.default_rng(0), breathing) in breathing


def test_the_planets_of_the_circulation_model_are_in_five_folds_by_point(assay_data):
    table = rows(assay_data / "planet_climates" / METRICS, COLUMNS)
    planets = planets_of_metrics(table)
    folds = np.array([fold_of(row) for row in table])

    assert len(planets) == 164
    assert set(folds) == set(range(1, FOLDS + 1))
    points = np.stack([planets.rotation_d, planets.obliquity_deg], axis=1)
    for point in np.unique(points, axis=0):
        assert len(set(folds[(points == point).all(axis=1)])) == 1


def test_other_files_than_the_published_are_refused(tmp_path):
    (tmp_path / "exoplanet_catalog").mkdir()
    with pytest.raises(DataError, match="give a folder that holds it"):
        PLANETS.build(str(tmp_path / "exoplanet_catalog"), lambda phase, fraction: None)
    with pytest.raises(DataError, match="set ASSAY_DATA"):
        GCM_PLANETS.build("https://example.org", lambda phase, fraction: None)
