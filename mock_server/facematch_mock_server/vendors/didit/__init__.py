"""Didit, as the mock imitates it."""
