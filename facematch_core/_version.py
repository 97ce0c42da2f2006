"""The version, for whoever sends it or shows it."""

__version__ = "0.3.0"
