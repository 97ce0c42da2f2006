"""Hosted sessions: the person is verified on the vendor's own page."""
