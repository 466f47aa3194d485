"""What is read of each modality: a file each, from a batch to tokens of one width."""
