"""From packed images to batches of pixels."""
