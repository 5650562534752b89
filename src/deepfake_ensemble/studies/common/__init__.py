"""What both studies do alike."""
