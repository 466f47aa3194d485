"""The pathways family: directed graphs of metabolism, and what makes and judges them."""
