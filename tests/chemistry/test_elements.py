from rdkit import Chem

from assay.chemistry.elements import ATOMIC_NUMBERS, HIGHEST, SYMBOLS


def test_symbols_are_those_of_the_periodic_table():
    table = Chem.GetPeriodicTable()
    assert HIGHEST == 118
    assert list(SYMBOLS[1:]) == [table.GetElementSymbol(number) for number in range(1, 119)]


def test_symbols_and_numbers_are_inverse():
    assert {SYMBOLS[number]: number for number in range(1, 119)} == dict(ATOMIC_NUMBERS)
