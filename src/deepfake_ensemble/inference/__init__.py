"""Probabilities of a trained model."""
