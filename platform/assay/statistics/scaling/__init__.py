"""Scaling laws: how the loss falls with size, data and compute, and how surely that is known."""
