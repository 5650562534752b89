"""The report of the second study."""
