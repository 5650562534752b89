"""From an untrusted archive to batches of pixels."""
