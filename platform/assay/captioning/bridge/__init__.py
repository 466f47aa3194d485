"""Solid bridge: a language model reads a molecule's graph as one token, or a few, of its prompt."""
