"""Shared chemistry: elements, bond tables, packed molecules and their files."""
