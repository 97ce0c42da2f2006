"""What only you can fill in before others get this package."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = [ROOT / "README.md", ROOT / "pyproject.toml", *sorted(ROOT.glob("src/*/*.py"))]

#: Each is where something of yours belongs.
PLACEHOLDERS = (
    "Your Name",
    "you@example.com",
    "https://code.example",
    "Private :: Do Not Upload",
    "invented",
)


def test_nothing_is_left_to_fill_in() -> None:
    """Until then this names what is left, and does not fail."""
    placeholders = [
        f"{file.relative_to(ROOT)}: {word}"
        for file in FILES
        for word in PLACEHOLDERS
        if word in file.read_text(encoding="utf-8")
    ]
    if placeholders:
        pytest.xfail(f"to fill in before you publish: {'; '.join(placeholders)}")
