"""Planets: climate, spectrum, metabolism and words, and how habitable they are together."""
