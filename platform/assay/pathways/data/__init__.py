"""Directed metabolic graphs: readers, checks, features and the sets themselves."""
