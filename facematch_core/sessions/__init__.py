"""Hosted sessions, in which the vendor's own page looks at the person."""
