"""Sumsub: applicants and hosted sessions."""
