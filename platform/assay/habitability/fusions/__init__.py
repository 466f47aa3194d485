"""Ways of joining what the modalities tell, and floors: a file each."""
