"""The ensemble study."""
