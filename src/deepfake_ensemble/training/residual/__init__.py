"""The second study's recipes."""
