"""Deepvue, as the mock imitates it."""
