"""What a comparison says: rates, intervals and tables, and how their numbers read."""
