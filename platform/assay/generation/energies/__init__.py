"""One potential a file; `assay.generation.catalog` names them."""
