"""The photographs that come with every installation, for doubles of engines that look at faces."""

from __future__ import annotations

from importlib import resources

from facematch_core import Image

#: Public domain and CC0; `photographs/README.md` beside them tells of each where it is from.
PHOTOGRAPHS = ("eileen-collins", "grace-hopper", "grace-hopper-card", "no-face-cat")


def photograph(name: str) -> Image:
    """One of the photographs that come with every installation.

    Args:
        name: ``grace-hopper``; ``grace-hopper-card`` (her head from the same photograph, small and
            blurred, on a card); ``eileen-collins``; ``no-face-cat``.

    Raises:
        LookupError: there is none of that name.
    """
    if name not in PHOTOGRAPHS:
        raise LookupError(f"there is no photograph {name:.40}; there is {', '.join(PHOTOGRAPHS)}")
    folder = resources.files("facematch_core") / "cli" / "photographs"
    return Image.from_bytes((folder / f"{name}.jpg").read_bytes())
