"""Shared helpers: time, threads, files, URLs, tables, and masking of secrets."""
