"""Read requirements from a built-in TOML file or from the user's own.

This module does not import the statistics, so a wrong name is reported at once. A file::

    max_fmr = 1e-3
    max_frr = 0.02
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal

import attrs

from facematch_core.backend.kinds import describe_value, suggest_name
from facematch_core.base.files import read_toml
from facematch_core.errors import InvalidRequest

_FOLDER: Final = Path(__file__).parent / "requirements"

#: By default, `required_fmr` is `max_fmr` divided by this. A threshold chosen exactly for the limit
#: exceeds it half of the time; at a fifth of the limit, 1.5 times the minimum number of pairs is
#: enough on average.
SHARE: Final = 5


@attrs.frozen(kw_only=True)
class Requirements:
    """Limits for the error rates of a system.

    Attributes:
        name, title: The built-in name, or the name of the file; and a title for people.
        max_fmr, max_frr: Highest rates. Failures to acquire count in the FRR.
        required_fmr: The FMR for which thresholds are chosen, at most `max_fmr`. It should be
            lower, because a threshold chosen exactly for the limit exceeds it half of the time.
        at: The threshold to judge: the one chosen for `required_fmr`, or the threshold of the run
            (``default``: the vendor's, or the profile's).
        confidence: One-sided confidence of each bound.
        source: Source of the limits, or None.
        leaves_out: Further requirements of the source that are not checked, or None.
    """

    name: str
    title: str
    max_fmr: float
    max_frr: float
    required_fmr: float
    at: Literal["required_fmr", "default"] = "required_fmr"
    confidence: float = 0.95
    source: str | None = None
    leaves_out: str | None = None

    @property
    def evaluation_confidence(self) -> float:
        """Two-sided confidence for `evaluate`: intervals then end at the one-sided bounds."""
        # Round: 0.9 instead of 0.8999999999999999.
        return round(2 * self.confidence - 1, 12)


def built_in() -> tuple[str, ...]:
    """Return the names of the built-in requirements."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


_TEXT: Final = ("text", (str,), str.strip)
_RATE: Final = ("a number above 0 and below 1", (int, float), lambda value: 0 < value < 1)

#: Keys of a file: description, types, and whether a value fits.
_KEYS: Final[dict[str, tuple[str, tuple[type, ...], Callable[[Any], Any]]]] = {
    **dict.fromkeys(("title", "source", "leaves_out"), _TEXT),
    **dict.fromkeys(("max_fmr", "max_frr", "required_fmr"), _RATE),
    "at": ('"required_fmr" or "default"', (str,), ("required_fmr", "default").__contains__),
    "confidence": ("a number above 0.5 and below 1", (int, float), lambda value: 0.5 < value < 1),
}


def read_requirements(name_or_path: str | Path) -> Requirements:
    """Read built-in requirements or a file.

    Args:
        name_or_path: A name that `built_in` lists, or your own file (``.toml``).

    Raises:
        InvalidRequest: the requirements are not found, or the file is not valid.
    """
    text = str(name_or_path)
    names = built_in()
    path = _FOLDER / f"{text}.toml" if text in names else Path(text)
    if path.suffix != ".toml":
        raise InvalidRequest(
            f"Unknown requirements {text[:60]!r}; {suggest_name(text, names)} For your own, pass a "
            "file that ends in .toml."
        )
    table = read_toml(path, "requirements", InvalidRequest)
    for key in ("max_fmr", "max_frr"):
        if key not in table:
            raise InvalidRequest(f"{path}: missing `{key}` ({_KEYS[key][0]}).")
    for key, value in table.items():
        if key not in _KEYS:
            raise InvalidRequest(f"{path}: unknown key {key[:60]!r}; {suggest_name(key, _KEYS)}")
        accepted_words, types, fits = _KEYS[key]
        if type(value) not in types or not fits(value):
            value_text = str(value)[:40] if type(value) in (int, float) else describe_value(value)
            raise InvalidRequest(f"{path}: {key} must be {accepted_words}, not {value_text}.")
    table.setdefault("title", path.stem)
    table.setdefault("required_fmr", table["max_fmr"] / SHARE)
    if table["required_fmr"] > table["max_fmr"]:
        raise InvalidRequest(f"{path}: required_fmr must not be above max_fmr.")
    return Requirements(name=path.stem, **table)
