"""Captioning: what a molecule is, said in words."""
