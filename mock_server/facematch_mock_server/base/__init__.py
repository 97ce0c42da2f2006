"""Shared base of the mock's packages: messages, forms, records and masking."""
