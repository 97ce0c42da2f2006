"""`facematch backends`: what is installed, what each can do, and what keeps one from being used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from . import common
from .common import number, say

if TYPE_CHECKING:
    from facematch_core.backend import Capabilities


@click.command("backends", short_help="List the backends and what each can do.")
@common.as_json
def command(as_json: bool) -> None:
    """List the backends that are installed, what each can do, and what keeps one from being used.

    Each plug-in is loaded and opened; nothing is sent.
    """
    found = inspected()
    if as_json:
        common.print_json({"backends": found})
    else:
        _show(found)


def inspected() -> list[dict[str, Any]]:
    """Every backend that is offered, as JSON; a broken one has a problem and no abilities."""
    from facematch_core.backend import Capabilities
    from facematch_core.config import Plan
    from facematch_core.errors import FaceMatchError
    from facematch_core.plugins import available_backends, backend_class

    documents = []
    for info in available_backends():
        abilities, problem = dict.fromkeys(_abilities(Capabilities())), info.problem
        try:
            if problem is None:
                abilities = _abilities(backend_class(info.name).capabilities)
                Plan.of(info.name).open_backend().close()
        except FaceMatchError as error:
            problem = error.message
        except (Exception, SystemExit) as error:  # noqa: BLE001 - one broken plug-in must not hide the others
            problem = f"It fails with {type(error).__name__}: report this to its author."
        documents.append(
            {
                "name": info.name,
                "distribution": info.distribution,
                "version": info.version,
                "usable": problem is None,
                "problem": problem,
                **abilities,
            }
        )
    return documents


def _abilities(can: Capabilities) -> dict[str, Any]:
    from facematch_core.models import Operation, Retention

    return {
        **{operation.value: operation in can.operations for operation in Operation},
        "rotate": can.rotate,
        "keep": Retention.KEEP in can.retention,
        "threshold_rule": can.threshold_rule.value,
        "default_threshold": can.default_threshold,
        "default_liveness_threshold": can.default_liveness_threshold,
        "score_scale": can.score_scale,
        "liveness_scale": can.liveness_scale,
        "billed": sorted(operation.value for operation in can.billed_operations),
        "rate_windows": [
            {"limit": rate.limit, "seconds": rate.seconds} for rate in can.rate_windows
        ],
        "reports_faces": can.reports_faces,
        "options": list(common.option_names(can.options)),
    }


def _show(found: Sequence[dict[str, Any]]) -> None:
    """Print a column per backend, or a table for each, and below what keeps one from being used."""
    columns = {one["name"]: _column(one) for one in found}
    room = common.width()
    whole = [("charges for",), *((name, *cells.values()) for name, cells in columns.items())]
    fits = room is None or common.table_width(whole, columns) <= room
    for index, table in enumerate([columns] if fits else [{n: c} for n, c in columns.items()]):
        if index:
            say()
        titles = next(iter(table.values()), {})
        rows = [(title, *(cells[title] for cells in table.values())) for title in titles]
        common.print_table(("", *table), rows, prose=columns)
    for one in found:
        if one["problem"] is not None:
            say(f"{one['name']}: {one['problem']}")


def _column(one: dict[str, Any]) -> dict[str, str]:
    words = {True: "yes", False: "no", None: "?"}
    operations = ("match", "liveness", "search", "age")
    rates = [
        f"{rate['limit']} in {number(rate['seconds'])} s" for rate in one["rate_windows"] or ()
    ]
    default = one["default_threshold"]
    rule = str(one["threshold_rule"]).replace("_", " ")
    cells = {
        "from": f"{one['distribution']} {one['version']}",
        "usable": words[one["usable"]],
        **{name: words[one[name]] for name in (*operations, "rotate", "keep")},
        "threshold": "no default" if default is None else f"{rule} {number(default)}",
        "scale": one["score_scale"] or "-",
        "charges for": ", ".join(name for name in operations if name in (one["billed"] or ()))
        or "nothing",
        "rates": ", ".join(rates) or "-",
        "options": " ".join(one["options"] or ()) or "-",
    }
    unknown = one["match"] is None
    return {
        title: "?" if unknown and index > 1 else cell
        for index, (title, cell) in enumerate(cells.items())
    }
