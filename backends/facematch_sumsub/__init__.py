"""Backend `sumsub`: Sumsub's hosted sessions."""

from .backend import SumsubBackend

__all__ = ["SumsubBackend"]
