"""`facematch didit sessions`."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import Any

import click

from facematch_didit.account import ApiService, SessionKind, SessionStatus, SessionType

from . import _options

_DAY = click.DateTime(formats=["%Y-%m-%d"])


def _words(kind: Any) -> click.Choice[str]:
    return click.Choice([word.value for word in kind], case_sensitive=False)


def _day(given: dt.datetime | None) -> dt.date | None:
    return None if given is None else given.date()


@click.command("sessions", short_help="List what was kept.")
@click.option(
    "--status",
    type=click.Choice([s.value for s in SessionStatus if s is not SessionStatus.OTHER]),
    multiple=True,
    metavar="WORD",
    help="approved, declined, in_review, ...; repeatable.",
)
@click.option("--caller-ref", metavar="TEXT", help="Exactly what the call sent as its reference.")
@click.option(
    "--service",
    type=_words(ApiService),
    metavar="WORD",
    help="Which call made it: face_match, passive_liveness, face_search, ...",
)
@click.option("--from", "date_from", type=_DAY, metavar="DAY", help="First day, 2026-07-31, UTC.")
@click.option("--to", "date_to", type=_DAY, metavar="DAY", help="Last day, included, UTC.")
@click.option("--warning", metavar="TAG", multiple=True, help="Didit's tag; repeatable.")
@click.option("--search", metavar="TEXT", help="Didit's free search.")
@click.option("--kind", type=_words(SessionKind), help="user unless said otherwise.")
@click.option("--type", "session_type", type=_words(SessionType), help="How it began.")
@click.option("--workflow-id", metavar="UUID", help="Of a hosted workflow.")
@click.option("--country", metavar="CODE", help="Didit's word for it.")
@click.option("--document-type", metavar="WORD", help="Didit's word for it.")
@click.option(
    "--limit", type=click.IntRange(1), metavar="N", default=20, help="At most so many; 20."
)
@_options.where
@_options.as_json
def command(limit: int, as_json: bool, **given: Any) -> None:
    """List the sessions that fit, newest first.

    A call is kept as a session if it was asked to be (`facematch verify --keep`).
    """
    from ._opening import Where, opened
    from ._printing import document
    from ._session_text import rows_document, show_rows

    names = ("profile", "config", "base_url", "allow_base_url")
    where = Where(**{name: given.pop(name) for name in names})
    filters = _filters(given)
    with opened(where) as account:
        # One more tells whether there are more.
        found = account.sessions(**filters, page_size=min(limit + 1, 50))
        rows = [*itertools.islice(found, limit + 1)]
    more = len(rows) > limit
    if as_json:
        document(rows_document(rows[:limit], more=more))
    else:
        show_rows(rows[:limit], more=more)


def _filters(given: dict[str, Any]) -> dict[str, Any]:
    kinds = {"kind": SessionKind, "session_type": SessionType}
    words = {name: kind(given[name]) if given[name] else None for name, kind in kinds.items()}
    service = given.pop("service")
    return {
        **given,
        **words,
        "status": [SessionStatus(word) for word in given["status"]] or None,
        "warning": given["warning"] or None,
        "api_service": ApiService(service) if service else None,
        "date_from": _day(given["date_from"]),
        "date_to": _day(given["date_to"]),
    }
