"""`facematch didit add-review`."""

from __future__ import annotations

from typing import Any

import click

from . import _options


@click.command("add-review", short_help="Note something about a session.")
@_options.session_id
@click.argument("comment")
@_options.where
@_options.as_json
def command(session_id: str, comment: str, as_json: bool, **where: Any) -> None:
    """Note COMMENT about a session. Its status stays: `update-status` changes that."""
    from ._opening import Where, opened
    from ._printing import document, say
    from ._session_text import review_document

    with opened(Where(**where)) as account:
        review = account.add_review(session_id, comment)
    if as_json:
        document(review_document(review))
        return
    say("Noted.")
