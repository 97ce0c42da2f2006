"""Stripe Identity: VerificationSessions with a document and a selfie, their reports, and events."""
