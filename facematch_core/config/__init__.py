"""Find installed backends, read settings, and open verifiers and sessions."""
