"""Ray, which hands work to the GPUs of a host or of several: chains of stages, and shards of a collection."""
