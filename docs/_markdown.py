"""Pieces of generated Markdown."""


def cells(*values: str) -> str:
    """Return a row of a table."""
    return "| " + " | ".join(values) + " |"
