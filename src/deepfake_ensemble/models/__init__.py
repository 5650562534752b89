"""The detectors: one file for each architecture, and how they are saved."""
