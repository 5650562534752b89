"""What detectors look at, and the images that they get right and wrong."""
