"""Values of a comparison: rates, intervals and tables, and the format of their numbers."""
