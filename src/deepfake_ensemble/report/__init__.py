"""Figures and pages made from the reports."""
