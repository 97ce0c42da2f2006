"""Verifiers, and the pipeline that makes their calls."""
