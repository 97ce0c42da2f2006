"""Webhooks out: who is told of what, the letters and their signatures, and how they are carried."""
