"""What `facematch_core.testing.strategies` offers, by theme."""
