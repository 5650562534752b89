"""Detectors side by side: intervals, tests, calibration, what each adds and what is lost elsewhere."""
