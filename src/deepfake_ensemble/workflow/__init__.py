"""Commands around the pipelines: what a run costs, whether it repeats, and the pages of docs."""
