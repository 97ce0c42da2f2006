"""The version, for whoever sends it or shows it."""

__version__ = "0.2.0"
