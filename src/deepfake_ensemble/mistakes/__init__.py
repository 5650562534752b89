"""What the images that detectors get wrong look like, beside those that they get right."""
