"""One thin module for each stage that the first study has not."""
