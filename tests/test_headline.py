from assay.headline import headline


def test_the_first_in_which_models_differ_orders_them():
    alike = {"fcd/fcd": 3.0, "edm/molecule_stability": 0.0, "edm/atom_stability": 0.5}
    assert headline([alike, {**alike, "edm/atom_stability": 0.6}]) == "edm/atom_stability"
    assert headline([alike, {**alike, "edm/molecule_stability": 0.1}]) == "edm/molecule_stability"


def test_protocols_without_one_have_their_first():
    assert headline([{}, {"own/b": 1.0, "own/a": 2.0}]) == "own/b"
    assert headline([{}]) is None
    assert headline([]) is None
