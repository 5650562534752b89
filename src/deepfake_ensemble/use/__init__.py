"""Classifying images with the model file: on the command line and as a page."""
