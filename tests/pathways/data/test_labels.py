from assay.pathways.data.labels import Labels
from assay.pathways.data.packing import arrays_of, graphs_of, labels_of
from assay.store import sets
from assay.store.packed import PackedSet
from assay.store.texts import Texts
from tests.pathways import made


def test_labels_are_packed_and_read_back(tmp_path):
    graphs = made.graphs(count=5)
    labels = Labels(
        Texts.of(f"β-{name}" for name in graphs.compounds),
        Texts.of(f"pathway {k}" for k in range(5)),
        Texts.of(["Degradation", "", "", "", "Biosynthesis"]),
    )
    arrays = arrays_of(graphs, made.table(graphs), labels=labels)

    packed = PackedSet.write(tmp_path, arrays, name="it", description="it", source="it")

    found = labels_of(packed)
    assert list(found.compounds) == list(labels.compounds)
    some = found.select([4, 1])
    assert (list(some.pathways), list(some.classes)) == (
        ["pathway 4", "pathway 1"], ["Biosynthesis", ""]
    )  # fmt: skip
    assert len(some.compounds) == len(graphs.compounds)


def test_what_has_no_other_names_is_called_by_its_ids(pathways):
    prepared = sets.open_set("mini_pathways")
    graphs, labels = graphs_of(prepared), labels_of(prepared)

    assert list(labels.compounds) == list(graphs.compounds)
    assert list(labels.pathways) == list(graphs.ids)
    assert set(labels.classes) == {""}
