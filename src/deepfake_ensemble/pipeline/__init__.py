"""The pipeline itself: what it would run, and keeping dvc.yaml true to the code."""
