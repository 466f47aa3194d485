"""Graphs whose links are learned: what a packed set holds, and the sets themselves."""
