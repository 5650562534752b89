"""Weighing the detectors and assembling them into one model."""
