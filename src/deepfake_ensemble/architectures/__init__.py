"""The registry: each file here is one architecture, and its name is the model's name in params.yaml.

A file holds `ARCHITECTURE` (see `models/architecture.py`): how the network is built, the dataclass of its
section `models.NAME.network` in params.yaml, and, if there are any, its published weights with the scaling
that they expect.
"""
