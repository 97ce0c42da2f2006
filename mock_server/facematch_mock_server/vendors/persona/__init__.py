"""Persona: inquiries with a government ID and a selfie, one-time links, and webhooks."""
