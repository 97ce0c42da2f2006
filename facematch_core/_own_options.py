"""Options that only one operation has, checked before anything is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._enums import Operation, SearchMode, ThresholdRule, ThresholdSource
from ._scores import Threshold
from .errors import InvalidRequest, UnsupportedOption

if TYPE_CHECKING:
    from .backend import Capabilities

#: Oldest minimum age that can be asked for, in years.
MAX_AGE = 100


def own_options(
    operation: Operation, mode: Any, minimum_age: Any, backend: str, can: Capabilities
) -> dict[str, Any]:
    """The fields that a call of `operation` has beside the common ones.

    Raises:
        InvalidRequest: a value that no backend could take.
        UnsupportedOption: the backend cannot search in that way.
    """
    if operation is Operation.SEARCH:
        return {"mode": _mode(mode, backend, can)}
    if operation is Operation.AGE:
        return {"minimum_age": _minimum_age(minimum_age, can)}
    return {}


def _mode(asked: Any, backend: str, can: Capabilities) -> SearchMode:
    try:
        mode = SearchMode(asked)
    except ValueError:
        raise InvalidRequest(
            f"mode must be one of {', '.join(f'SearchMode.{mode.name}' for mode in SearchMode)}, "
            f"not {type(asked).__name__}."
        ) from None
    if mode not in can.search_modes:
        raise UnsupportedOption(
            f"The backend {backend} cannot search {mode}: choose one of "
            f"{', '.join(sorted(can.search_modes)) or 'none'}.",
            backend=backend,
            option="mode",
        )
    return mode


def _minimum_age(asked: Any, can: Capabilities) -> Threshold | None:
    source = ThresholdSource.DEFAULT if asked is None else ThresholdSource.CALLER
    years = can.default_minimum_age if asked is None else asked
    if years is None:
        return None
    if type(years) is not int:
        raise InvalidRequest(
            f"minimum_age must be a whole number of years, not {type(years).__name__}."
        )
    if not 0 <= years <= MAX_AGE:
        raise InvalidRequest(f"minimum_age must lie between 0 (no rule) and {MAX_AGE} years.")
    # 0 switches the rule off: then nobody is called old enough either.
    return Threshold(years, ThresholdRule.AT_LEAST, source) if years else None
