"""The report of the ensemble study."""
