"""How several losses become one: a method a file, named in `assay.training.balancing.catalog`."""
