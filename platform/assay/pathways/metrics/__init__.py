"""How generated metabolic graphs are judged: distances, validity, novelty, links, fluxes."""
