"""Files of crystals as others write them, and what they should be read as."""

import csv
import gzip

import numpy as np

CIF = """data_{name}
_symmetry_space_group_name_H-M   'P 1'
_cell_length_a   {a}
_cell_length_b   4.12
_cell_length_c   4.12
_cell_angle_alpha   90
_cell_angle_beta   90
_cell_angle_gamma   90.0(2)
loop_
 _symmetry_equiv_pos_site_id
 _symmetry_equiv_pos_as_xyz
  1  '{operation}'
loop_
 _atom_site_type_symbol
 _atom_site_label
 _atom_site_fract_x
 _atom_site_fract_y
 _atom_site_fract_z
 _atom_site_occupancy
{sites}
"""
SITES = "  Cs1+ Cs0 0 0 0 1\n  Cl1- Cl1 0.5 0.5 0.5(1) 1.0"

SYMMETRIC = """data_NaCl
_symmetry_space_group_name_H-M 'F m -3 m'
_cell_length_a 5.64
_cell_length_b 5.64
_cell_length_c 5.64
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
loop_
_atom_site_label
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Na1 0 0 0
Cl1 0.5 0.5 -0.5
"""


def cif(name="CsCl", a="4.12(3)", operation="x, y, z", sites=SITES):
    return CIF.format(name=name, a=a, operation=operation, sites=sites)


def written(directory, name, content):
    path = directory / name
    path.write_text(content)
    return path


def write_csv(path, texts):
    with (gzip.open if path.suffix == ".gz" else open)(path, "wt", newline="") as file:
        table = csv.writer(file)
        table.writerow(["", "material_id", "cif", "e_above_hull"])
        table.writerows([k, f"mp-{k}", text, 0.1] for k, text in enumerate(texts))
    return path


def assert_same(found, expected, atol=1e-6):
    np.testing.assert_array_equal(found.numbers, expected.numbers)
    np.testing.assert_array_equal(found.n_atoms, expected.n_atoms)
    np.testing.assert_allclose(found.lattices, expected.lattices, atol=1e-4)
    difference = found.frac_coords - expected.frac_coords
    np.testing.assert_allclose(difference - difference.round(), 0, atol=atol)
    assert ((found.frac_coords >= 0) & (found.frac_coords < 1)).all()
