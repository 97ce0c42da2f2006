"""Backend `stripe`: hosted sessions with Stripe Identity."""

from .backend import StripeBackend

__all__ = ["StripeBackend"]
