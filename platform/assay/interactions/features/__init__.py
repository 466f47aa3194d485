"""What is known of a graph's nodes beside their links; `assay.interactions.catalog` names it."""
