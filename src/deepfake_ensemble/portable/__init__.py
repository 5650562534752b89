"""The ensemble as one file that runs without TensorFlow, and tells of itself what a user must know."""
