"""`facematch didit reviews`."""

from __future__ import annotations

from typing import Any

import click

from . import _options


@click.command("reviews", short_help="List the notes about a session.")
@_options.session_id
@_options.where
@_options.as_json
def command(session_id: str, as_json: bool, **where: Any) -> None:
    """List what people and programs noted about a session."""
    from ._opening import Where, opened
    from ._printing import document, say
    from ._session_text import review_document, review_line

    with opened(Where(**where)) as account:
        reviews = [*account.reviews(session_id)]
    if as_json:
        document({"reviews": [review_document(review) for review in reviews]})
        return
    for review in reviews:
        say(review_line(review))
    if not reviews:
        say("Nothing was noted.")
