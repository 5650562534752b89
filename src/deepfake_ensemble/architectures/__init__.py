"""The registry: each file here is one architecture, and its name is the model's name in params.yaml.

A file holds `Network`, the dataclass of its section `models.NAME.network` in params.yaml, and
`ARCHITECTURE`, which tells how the network is built and what its published weights expect.
"""
