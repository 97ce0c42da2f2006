"""The command `facematch mock`."""
