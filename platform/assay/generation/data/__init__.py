"""The molecules that the generation family learns from."""
