"""What the installed backends can do, and whether each can be used here and now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from facematch_core._enums import Operation, Retention
from facematch_core._plan import plan
from facematch_core._registry import BackendInfo, available_backends, backend_class
from facematch_core.backend import Capabilities
from facematch_core.errors import FaceMatchError

from ._text import clean, console, number, print_table
from ._vendor import option_names
from ._verdicts import RULES


@attrs.frozen(kw_only=True)
class Entry:
    """One backend.

    Attributes:
        info: What its distribution declares.
        capabilities: What its class declares; None if that cannot be imported.
        problem: Why it cannot be used, or None.
    """

    info: BackendInfo
    capabilities: Capabilities | None
    problem: str | None


def inspected() -> list[Entry]:
    """Every backend that is offered; a broken one becomes an entry with a problem."""
    return [_inspected(info) for info in available_backends()]


def _inspected(info: BackendInfo) -> Entry:
    capabilities = None
    problem = info.problem
    try:
        if problem is None:
            capabilities = backend_class(info.name).capabilities
            plan(info.name).open_backend().close()
    except FaceMatchError as error:
        problem = error.message
    except (Exception, SystemExit) as error:  # noqa: BLE001 - one broken plug-in must not hide the others
        problem = f"It fails with {type(error).__name__}: report this to its author."
    return Entry(info=info, capabilities=capabilities, problem=problem)


def as_document(entry: Entry) -> dict[str, Any]:
    """The JSON form; what needs the class is None if that cannot be imported."""
    info, can = entry.info, entry.capabilities
    return {
        "name": info.name,
        "distribution": info.distribution,
        "version": info.version,
        "usable": entry.problem is None,
        "problem": entry.problem,
        "match": can and Operation.MATCH in can.operations,
        "liveness": can and Operation.LIVENESS in can.operations,
        "search": can and Operation.SEARCH in can.operations,
        "age": can and Operation.AGE in can.operations,
        "rotate": can and can.rotate,
        "keep": can and Retention.KEEP in can.retention,
        "threshold_rule": can and can.threshold_rule.value,
        "default_threshold": can and can.default_threshold,
        "default_liveness_threshold": can and can.default_liveness_threshold,
        "score_scale": can and can.score_scale,
        "liveness_scale": can and can.liveness_scale,
        "billed": can and sorted(operation.value for operation in can.billed_operations),
        "rate_windows": can
        and [{"limit": rate.limit, "seconds": rate.seconds} for rate in can.rate_windows],
        "reports_faces": can and can.reports_faces,
        "options": can and list(option_names(can.options)),
    }


def show(entries: Sequence[Entry]) -> None:
    """Print a table with a column per backend, and below it what keeps one from being used."""
    to = console()
    columns = [_column(entry) for entry in entries]
    header = ("", *(entry.info.name for entry in entries))
    names = list(columns[0]) if columns else []
    print_table(to, header, [(name, *(column[name] for column in columns)) for name in names])
    for entry in entries:
        if entry.problem is not None:
            to.out(clean(f"{entry.info.name}: {entry.problem}"))


def _column(entry: Entry) -> dict[str, str]:
    info = entry.info
    return {
        "from": f"{info.distribution} {info.version}",
        "usable": _yes(entry.problem is None),
        **(_UNKNOWN if entry.capabilities is None else _abilities(entry.capabilities)),
    }


def _abilities(can: Capabilities) -> dict[str, str]:
    return {
        "match": _yes(Operation.MATCH in can.operations),
        "liveness": _yes(Operation.LIVENESS in can.operations),
        "search": _yes(Operation.SEARCH in can.operations),
        "age": _yes(Operation.AGE in can.operations),
        "rotate": _yes(can.rotate),
        "keep": _yes(Retention.KEEP in can.retention),
        "threshold": _threshold(can),
        "scale": can.score_scale or "-",
        "charges for": ", ".join(one for one in Operation if one in can.billed_operations)
        or "nothing",
        "rates": ", ".join(f"{r.limit} in {number(r.seconds)} s" for r in can.rate_windows) or "-",
        "options": " ".join(option_names(can.options)) or "-",
    }


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _threshold(can: Capabilities) -> str:
    if can.default_threshold is None:
        return "no default"
    return f"{RULES.get(can.threshold_rule, 'vendor')} {number(can.default_threshold)}"


#: What cannot be told of a backend that cannot be imported.
_UNKNOWN = dict.fromkeys(_abilities(Capabilities()), "?")
