"""What stands behind `facematch_core.http`, and the only code that meets requests."""
