"""From an untrusted archive to tables that say which image is what."""
