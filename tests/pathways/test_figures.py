from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from assay.pathways.data.labels import Labels, unmarked
from assay.pathways.figures import NEIGHBOURS, Drawn, LatentMap, latent_map, neighbours, two_axes
from assay.store.texts import Texts
from tests.pathways import made
from tests.pathways.metrics import tiny as t


def labelled(graphs):
    return Labels(
        compounds=Texts.of(f"compound {name}" for name in graphs.compounds),
        pathways=Texts.of(f"pathway {name}" for name in graphs.ids),
        classes=Texts.of("Degradation" if k % 2 else "" for k in range(len(graphs))),
    )


def test_the_first_generated_graphs_stand_beside_those_that_they_are_most_like():
    train = made.graphs()
    generated = train.select([7, 2, 9, 4, 1])

    found = neighbours(generated, train, labelled(train))

    assert len(found.pairs) == NEIGHBOURS
    assert [pair.nearest.title for pair in found.pairs[:2]] == ["pathway p7", "pathway p2"]
    first = found.pairs[0]
    assert (first.edges, first.compounds) == (1, 1)
    assert first.generated.compounds == train.names_of(7)
    assert first.nearest.names == [f"compound {name}" for name in train.names_of(7)]
    assert "named edges" in found.similarity


def test_compounds_of_another_table_are_called_by_their_ids():
    train = t.packed(t.CHAIN)
    generated = t.packed((["b", None, "new"], [(0, 1), (0, 1), (1, 2)]))

    (pair,) = neighbours(generated, train, labelled(train)).pairs

    assert pair.generated.names == ["compound b", "unnamed", "new"]
    assert pair.generated.edges == [(0, 1, False), (1, 2, False)]


def test_two_axes_are_those_of_greatest_variance_whatever_turns_them():
    random = np.random.default_rng(0)
    plane_G2 = random.normal(size=(40, 2)) * [5, 2]
    turn_55, _ = np.linalg.qr(random.normal(size=(5, 5)))
    latents_GL = plane_G2 @ turn_55[:2] + 3.0

    xy_G2, explained = two_axes(latents_GL)

    centred = plane_G2 - plane_G2.mean(0)
    spread_2 = np.linalg.eigvalsh(centred.T @ centred)[::-1]
    np.testing.assert_allclose(xy_G2.T @ xy_G2, np.diag(spread_2), atol=1e-8)
    assert sum(explained) == pytest.approx(1, abs=1e-3)
    assert explained[0] > explained[1]


def test_the_map_has_one_sign():
    latents_GL = np.random.default_rng(1).normal(size=(30, 4)) * [4, 3, 1, 1]
    xy_G2, _ = two_axes(latents_GL)
    mirrored_G2, _ = two_axes(-latents_GL)
    again_G2, _ = two_axes(latents_GL[::-1])

    np.testing.assert_allclose(mirrored_G2, -xy_G2, atol=1e-9)
    np.testing.assert_allclose(again_G2, xy_G2[::-1], atol=1e-9)
    loadings = np.linalg.lstsq(latents_GL - latents_GL.mean(0), xy_G2, rcond=None)[0]
    for axis in loadings.T:
        assert axis[np.abs(axis).argmax()] > 0


@pytest.mark.parametrize("latents_GL", [np.ones((5, 3)), np.zeros((1, 2)), np.ones((4, 1))])
def test_what_does_not_vary_lies_at_the_origin(latents_GL):
    xy_G2, explained = two_axes(latents_GL)

    assert not xy_G2.any()
    assert explained == (0, 0)


def test_a_map_says_what_each_pathway_is():
    graphs = made.graphs(count=6)
    graphs = replace(graphs, consumes_oxygen=np.array([1, 0, -1, 1, 0, -1], np.int8))
    found = latent_map(np.random.default_rng(0).normal(size=(6, 3)), graphs, labelled(graphs))

    assert found.titles[1] == "pathway p1"
    assert found.classes == ["", "Degradation"] * 3
    assert found.oxygen_taken_up == [True, False, None] * 2
    assert found.environment["pH"] == [7.0] * 6
    assert found.environment["temperature"] == [None] * 6
    assert set(found.environment["oxygen"]) <= {0.0, 0.21}
    assert len(found.x) == len(found.y) == 6


def test_the_class_of_most_reactions_is_one_that_is_known():
    graphs = t.packed((list("abcd"), [(0, 1), (1, 2), (2, 3)]), (list("ab"), [(0, 1)]))
    graphs = replace(graphs, reaction_classes=np.array([0, 0, 3, 0], np.uint8))
    found = latent_map(np.zeros((2, 2)), graphs, Labels.plain(graphs))

    assert found.reactions == ["hydrolase", "unknown"]
    assert found.titles == list(graphs.ids)


def test_names_lose_their_markup():
    assert unmarked("&beta;-alanine <i>N</i>-oxide") == "β-alanine N-oxide"
    assert unmarked("a < b and c > d") == "a < b and c > d"


@pytest.mark.parametrize(
    ("edges", "said"),
    [([(0, 2, False)], "no edge 0->2 among 2"), ([(1, 1, False)], "no edge 1->1")],
)
def test_a_drawing_has_the_nodes_of_its_edges(edges, said):
    with pytest.raises(ValidationError, match=said):
        Drawn(title="t", compounds=["a", "b"], names=["a", "b"], edges=edges)


def test_a_map_is_of_all_its_graphs():
    graphs = made.graphs(count=4)
    whole = latent_map(np.zeros((4, 2)), graphs, Labels.plain(graphs)).model_dump()

    with pytest.raises(ValidationError, match="different lengths"):
        LatentMap.model_validate(whole | {"x": [0.0]})
