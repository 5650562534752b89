"""Fetch large files: over HTTP, from Kaggle, from the user's own disk, and published weights."""
