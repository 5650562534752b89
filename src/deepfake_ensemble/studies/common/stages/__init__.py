"""The stages that both studies have."""
