"""What the pages of both studies are made of."""
