"""A seasonal energy-balance model of planetary climates on latitude and longitude."""
