"""The few scores that trainings and evaluations share."""
