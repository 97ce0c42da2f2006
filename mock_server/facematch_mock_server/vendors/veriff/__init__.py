"""Veriff's sessions, decisions and webhooks."""
