"""How surely: intervals on every number."""
