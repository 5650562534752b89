"""Training: what both studies share, and the protocol of each."""
