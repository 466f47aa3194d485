"""Generation of 3D molecules: architectures × generative processes, one contract."""
