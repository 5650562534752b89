"""Train, combine and evaluate detectors of AI-generated faces, as a reproducible workflow."""
