"""Measuring detectors from their stored predictions."""
