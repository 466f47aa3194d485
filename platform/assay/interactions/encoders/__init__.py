"""One encoder a file; `assay.interactions.catalog` names them."""
