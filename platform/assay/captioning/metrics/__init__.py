"""How good captions are: their words against a reference's, their claims against the graph."""
