"""Lies here so that pytest puts this folder on the path: tests in subfolders import the servers by name."""
