"""Transmission spectra of planets, and what instruments make of them."""
