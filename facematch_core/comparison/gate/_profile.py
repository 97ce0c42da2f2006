"""A profile of requirements: a TOML file, of ours or of whoever has other ones.

::

    title = "Our door"
    max_fmr = 1e-3
    max_fnmr = 0.02
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import attrs

from facematch_core._basics import described, nearest, parse_toml, read_small
from facematch_core.errors import InvalidRequest

#: Where ours are.
_FOLDER: Final = Path(__file__).parent / "profiles"

#: What is a name of ours, and no file.
_NAME: Final = re.compile(r"[a-z0-9-]+")

#: Unless a profile says another one. A threshold that was chosen right at the limit lies beyond it
#: as often as not; at a fifth of it, half as many pairs again as the floor are enough on average.
_SHARE: Final = 5


class At(enum.StrEnum):
    """Which threshold of a contender is judged."""

    #: The one that was chosen for `GateProfile.required_fmr`.
    REQUIRED_FMR = "required_fmr"
    #: The one that it was asked with: the vendor's default, unless the profile of the
    #: configuration set another.
    DEFAULT = "default"


@attrs.frozen(kw_only=True)
class GateProfile:
    """What a contender must show.

    Attributes:
        name: Ours, or the name of the file.
        title: For people.
        max_fmr: Highest FMR, above 0, below 1.
        max_fnmr: Highest FNMR, failures to acquire among the errors; above 0, below 1.
        required_fmr: The FMR that thresholds are chosen for on the development part; at most
            `max_fmr`, and lower, for one that is chosen right at the limit lies beyond it as often
            as not.
        at: Which threshold is judged.
        confidence: Of each bound, one-sided; above 0.5, below 1.
        source: Where the limits come from; None if nobody says.
        leaves_out: What else would be asked that two rates do not show; None if nobody says.
    """

    name: str
    title: str
    max_fmr: float
    max_fnmr: float
    required_fmr: float
    at: At = At.REQUIRED_FMR
    confidence: float = 0.95
    source: str | None = None
    leaves_out: str | None = None

    @property
    def evaluation_confidence(self) -> float:
        """Two-sided, for `evaluate`: its intervals then end at the bounds of this profile."""
        # 0.9, and not 0.8999999999999999.
        return round(2 * self.confidence - 1, 12)


def built_in() -> tuple[str, ...]:
    """The names of the profiles that come with facematch."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


def read_profile(name_or_path: str | Path) -> GateProfile:
    """Read a profile.

    Args:
        name_or_path: A name that `built_in` lists, or the file of another one (``.toml``).

    Raises:
        InvalidRequest: there is none, or it says something that is not known.
    """
    text = str(name_or_path)
    if text in built_in():
        return _profile(text, text, _document(_FOLDER / f"{text}.toml"))
    if isinstance(name_or_path, str) and _NAME.fullmatch(text):
        raise InvalidRequest(
            f"There is no profile {text[:60]!r} of requirements; {nearest(text, built_in())} "
            "Of your own, name the file, which ends in .toml."
        )
    path = Path(name_or_path)
    return _profile(path.stem, str(path), _document(path))


def _document(path: Path) -> dict[str, Any]:
    content = read_small(path, "profile", InvalidRequest)
    return parse_toml(content, path, "profile", InvalidRequest)


def _profile(name: str, where: str, table: Mapping[str, Any]) -> GateProfile:
    for key in table:
        if key not in _KEYS:
            raise InvalidRequest(f"{where}: unknown key {key[:60]!r}; {nearest(key, _KEYS)}")
    for key in ("title", "max_fmr", "max_fnmr"):
        if key not in table:
            raise InvalidRequest(f"{where} needs {key}: {_KEYS[key]}.")
    values = {key: _READ[_KEYS[key]](where, key, value) for key, value in table.items()}
    values.setdefault("required_fmr", values["max_fmr"] / _SHARE)
    if values["required_fmr"] > values["max_fmr"]:
        raise InvalidRequest(f"{where}: required_fmr must not lie above max_fmr.")
    return GateProfile(name=name, **values)


_RATE, _CONFIDENCE, _TEXT = "a number above 0 and below 1", "a number above 0.5 and below 1", "text"
_AT = "one of " + ", ".join(f'"{at}"' for at in At)

#: What a profile may say, and as what.
_KEYS: Final[dict[str, str]] = {
    "title": _TEXT,
    "source": _TEXT,
    "leaves_out": _TEXT,
    "max_fmr": _RATE,
    "max_fnmr": _RATE,
    "required_fmr": _RATE,
    "at": _AT,
    "confidence": _CONFIDENCE,
}


def _number(where: str, key: str, value: Any) -> float:
    least = 0.5 if _KEYS[key] is _CONFIDENCE else 0
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not least < value < 1:
        raise InvalidRequest(f"{where}: {key} must be {_KEYS[key]}, not {_shown(value)}.")
    return float(value)


def _text(where: str, key: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise InvalidRequest(f"{where}: {key} must be text, not {_shown(value)}.")
    return value


def _at(where: str, key: str, value: Any) -> At:
    if value not in list(At):
        raise InvalidRequest(f"{where}: {key} must be {_AT}, not {_shown(value)}.")
    return At(value)


def _shown(value: object) -> str:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return str(value)[:40] if is_number else described(value)


_READ: Final[dict[str, Callable[[str, str, Any], Any]]] = {
    _TEXT: _text,
    _RATE: _number,
    _CONFIDENCE: _number,
    _AT: _at,
}
