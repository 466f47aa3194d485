"""Flux balance analysis against published figures, and against cobra where it is installed.

e_coli_core: Orth, Fleming, Palsson, EcoSal Plus 4 (2010) and BiGG: 72 metabolites, 95 reactions,
0.8739 1/h; iJO1366: Orth et al., Molecular Systems Biology 7 (2011) 535, 0.9824 1/h.
"""

import numpy as np
import pytest

from assay.pathways.graphs import Pathway, pack
from assay.pathways.metrics import flux, networks
from assay.store.locations import data_root

BLOCKED = {
    "EX_fru_e", "EX_fum_e", "EX_gln__L_e", "EX_mal__L_e", "FRUpts2", "FUMt2_2", "GLNabc",
    "MALt2_2",
}  # fmt: skip


@pytest.fixture(scope="module", params=["tables", "cobra"])
def core(request):
    if request.param == "cobra":
        pytest.importorskip("cobra")
        return networks.from_cobra("e_coli_core")
    root = data_root()
    if root is None or not (root / networks.FOLDER).is_dir():
        pytest.skip("needs ASSAY_DATA")
    return networks.read_tables(root / networks.FOLDER, "e_coli_core")


@pytest.mark.data
def test_the_core_model_has_its_size_its_growth_and_its_blocked_reactions(core):
    assert core.S.shape == (72, 95)
    assert flux.growth(core) == pytest.approx(0.8739215, abs=1e-6)
    assert set(flux.blocked(core)) == BLOCKED


@pytest.mark.data
def test_glycolysis_can_run_and_a_path_from_nowhere_cannot(core):
    names = ["G6P", "F6P", "nowhere", "PEP", "PYR"]
    mapping = {"G6P": "g6p_c", "F6P": "f6p_c", "PEP": "pep_c", "PYR": "pyr_c"}
    real = Pathway(id="real", nodes=names, edges=[(0, 1), (3, 4)])
    other = Pathway(id="other", nodes=names, edges=[(2, 0)])
    runs, stands = (flux.insertion(core, pack([one]), 0, mapping) for one in (real, other))

    assert runs.carrying > 0
    assert runs.mapped == 2
    assert stands.carrying == 0
    assert stands.growth == pytest.approx(0.8739215, abs=1e-6)


@pytest.mark.data
def test_energy_for_nothing_shows_in_growth(core):
    # NAD+ that takes up electrons from nowhere lets the cell grow faster.
    free = pack([Pathway(id="free", nodes=["NAD", "NADH"], edges=[(0, 1)])])
    found = flux.evaluate(core, free, {"NAD": "nad_c", "NADH": "nadh_c"})

    assert found["flux/carrying"].value == 1
    assert found["flux/growth_effect"].value > 0.05
    assert found["flux/coverage"].value == 1


@pytest.mark.data
@pytest.mark.slow
def test_the_genome_scale_model_grows_as_cobra_says():
    cobra = pytest.importorskip("cobra")
    found = networks.from_cobra("iJO1366")
    model = cobra.io.load_model("iJO1366")

    assert found.S.shape == (1805, 2583)
    assert flux.growth(found) == pytest.approx(model.slim_optimize(), rel=1e-6)


@pytest.mark.data
def test_blocked_reactions_of_the_core_are_those_of_cobra(core):
    cobra = pytest.importorskip("cobra")
    analysis = pytest.importorskip("cobra.flux_analysis")
    model = cobra.io.load_model("textbook")
    expected = set(analysis.find_blocked_reactions(model))

    assert expected == set(flux.blocked(networks.from_cobra("e_coli_core")))
    assert np.isclose(flux.growth(core), model.slim_optimize())
