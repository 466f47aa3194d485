"""Published models and floors that a Graph VAE of pathways is held against."""
