"""A model small enough to solve by hand.

    -> a (at most 10)    a -> b    b -> (growth)    c <- d, which nothing makes    e -> (drain)

a and b live; c and d are dead; e can only leave. e has six carbon atoms, the others three.
"""

import gzip
import json

import numpy as np
from scipy.sparse import csr_array

from assay.pathways.metrics.networks import BIOMASS, Network

GROWTH = BIOMASS["e_coli_core"]
REACTIONS = {
    "UPTAKE": ({"a_c": 1}, 0, 10),
    "A2B": ({"a_c": -1, "b_c": 1}, 0, 1000),
    GROWTH: ({"b_c": -1}, 0, 1000),
    "D2C": ({"d_c": -1, "c_c": 1}, 0, 1000),
    "DRAIN": ({"e_c": -1}, 0, 1000),
}
METABOLITES = ("a_c", "b_c", "c_c", "d_c", "e_c")


def _made():
    S = np.zeros((len(METABOLITES), len(REACTIONS)))
    for k, (terms, _, _) in enumerate(REACTIONS.values()):
        for metabolite, coefficient in terms.items():
            S[METABOLITES.index(metabolite), k] = coefficient
    return Network(
        name="toy",
        metabolites=METABOLITES,
        metabolite_names=("A-one", "B", "C", "D", "E"),
        carbons=np.array([3.0, 3.0, 3.0, 3.0, 6.0]),
        reactions=tuple(REACTIONS),
        S=csr_array(S),
        lower=np.array([float(low) for _, low, _ in REACTIONS.values()]),
        upper=np.array([float(high) for _, _, high in REACTIONS.values()]),
        objective=2,
    )


TOY = _made()


def write_toy(folder):
    metabolites = ["id,name,formula"]
    metabolites += [f"{m},{m},C{6 if m == 'e_c' else 3}H4O3" for m in METABOLITES]
    reactions = ["id,lb,ub,stoich"]
    for name, (terms, low, high) in REACTIONS.items():
        quoted = json.dumps(terms).replace('"', '""')
        reactions.append(f'{name},{low},{high},"{quoted}"')
    for table, lines in (("metabolites", metabolites), ("reactions", reactions)):
        path = folder / f"e_coli_core_{table}.csv.gz"
        path.write_bytes(gzip.compress("\n".join(lines).encode()))
