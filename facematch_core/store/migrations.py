"""Keep facematch's tables out of an application's migrations."""

from __future__ import annotations

from typing import Final

#: The tables of `SqlStore`, `CallLog` and `SessionStore`, which create them.
TABLES: Final = frozenset(
    {
        "facematch_store",
        "facematch_budgets",
        "facematch_attempts",
        "facematch_call_log",
        "facematch_calls",
        "facematch_session_store",
        "facematch_sessions",
        "facematch_check_store",
        "facematch_checks",
    }
)


def include_object(
    _object: object,
    name: str | None,
    type_: str,
    _reflected: bool,
    _compare_to: object,
) -> bool:
    """Return False for facematch's own tables: the option `include_object` of Alembic.

    Without it, ``alembic revision --autogenerate`` proposes to drop them, because the application's
    metadata does not contain them.

    Args:
        name: Name of the object.
        type_: Its type: ``table``, ``index`` and others. The other arguments are not used.

    Example:
        >>> include_object(None, "facematch_sessions", "table", True, None)
        False
        >>> include_object(None, "orders", "table", True, None)
        True
    """
    return type_ != "table" or name not in TABLES
