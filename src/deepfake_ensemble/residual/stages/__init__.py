"""One thin module for each stage of `residual/dvc.yaml` that the first study has not."""
