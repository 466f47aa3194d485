"""How foretelling is judged; planets are resampled in all their guises at once."""
