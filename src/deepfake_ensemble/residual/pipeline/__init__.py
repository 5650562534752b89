"""What looks after the second study's pipeline and is no part of it."""
