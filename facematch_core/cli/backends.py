"""`facematch backends`: what is installed, what each can do, and what each still needs."""

from __future__ import annotations

from typing import Any

import click

from .options import json_option, option_names
from .text import format_number, print_json, print_table, say


@click.command("backends")
@json_option
def command(as_json: bool) -> None:
    """List the backends that are installed, what each can do, and what each still needs.

    Each plug-in is imported and opened, so its code runs; nothing is sent.
    """
    documents = inspect_backends()
    if as_json:
        print_json({"backends": documents})
        return
    from facematch_core.config.plugins import CORE_DISTRIBUTION

    header: tuple[str, ...] = ("backend", "usable", "can", "threshold", "scale", "from")
    rows: list[tuple[str, ...]] = []
    for row in documents:
        can, threshold, scale = "?", "?", "?"
        if row["match"] is not None:
            abilities = ("match", "liveness", "session", "rotate", "keep")
            can = ", ".join(word for word in abilities if row[word])
            default, rule = row["default_threshold"], str(row["threshold_rule"]).replace("_", " ")
            threshold = "no default" if default is None else f"{rule} {format_number(default)}"
            scale = row["score_scale"] or "-"
        origin = f"{row['distribution']} {row['version']}"
        rows.append((row["name"], "yes" if row["usable"] else "no", can, threshold, scale, origin))
    if {row["distribution"] for row in documents} <= {CORE_DISTRIBUTION}:
        header, rows = header[:-1], [cells[:-1] for cells in rows]
    print_table(header, rows, prose=("can", "from"))
    # Below the table, what keeps one from being used.
    for row in documents:
        if row["problem"] is not None:
            say(f"{row['name']}: {row['problem']}")


def inspect_backends() -> list[dict[str, Any]]:
    """Every backend that is offered, as JSON; a broken one has a problem and no abilities."""
    from facematch_core.backend import Backend
    from facematch_core.config.opening import Plan
    from facematch_core.config.plugins import available_backends, backend_class
    from facematch_core.errors import FaceMatchError

    documents = []
    for info in available_backends():
        abilities, problem = dict.fromkeys(_abilities(Backend)), info.problem
        try:
            if problem is None:
                abilities = _abilities(backend_class(info.name))
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


def _abilities(cls: Any) -> dict[str, Any]:
    from facematch_core.models import Operation, Retention

    can = cls.capabilities
    return {
        **{operation.value: operation in can.operations for operation in Operation},
        "session": cls.session_capabilities is not None,
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
        "options": list(option_names(can.options)),
    }
