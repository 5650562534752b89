"""Fitting one detector."""
