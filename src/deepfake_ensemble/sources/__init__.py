"""Where the archives come from: built from a sample, downloaded from Kaggle, or brought by the user."""
