"""What test images go through before the detectors see them once more."""
