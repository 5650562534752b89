"""What trainings of both studies stand on."""
