"""The training loop and its parts: they know the Task contract, and no family, Ray or MLflow."""
