"""The protocol of table 3.3."""
