"""Composed data sets of planets, and what a record of them holds."""
