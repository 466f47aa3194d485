"""Sets of molecules with captions."""
