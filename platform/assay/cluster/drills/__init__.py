"""Drills: faults that are really injected into a small run, and an account of what became of it.

A drill runs nine tiny cells on the mini set in processes of its own, disturbs them, lets the same
command carry on, and compares everything with an undisturbed run: `assay drill kill-worker`.
"""
