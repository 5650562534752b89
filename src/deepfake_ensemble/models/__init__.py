"""The detectors: one file for each architecture, how they are saved, and the session that they compute in."""
