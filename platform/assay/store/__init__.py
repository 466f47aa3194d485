"""Data sets on disk: fetched, checked, packed once, and read through memory maps."""
