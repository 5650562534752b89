"""Faces in photographs: finding them, and cutting them out as the training data are."""
