"""The detectors: how one is defined, built and saved, and the session that it computes in."""
