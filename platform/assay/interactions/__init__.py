"""Link prediction: which nodes of a graph interact, learned from those that are known to."""
