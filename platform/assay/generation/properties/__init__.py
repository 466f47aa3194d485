"""What samples can be asked for, and how it is judged: one file here and one catalog line each."""
