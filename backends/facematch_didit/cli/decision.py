"""`facematch didit decision`."""

from __future__ import annotations

from typing import Any

import click

from . import _options


@click.command("decision", short_help="Show a session and its results; or wait for its review.")
@_options.session_id
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(0),
    metavar="SECONDS",
    help="As long as somebody is still to decide, ask again for so long.",
)
@click.option("--show-media", is_flag=True, help="Print the addresses of the pictures.")
@_options.where
@_options.as_json
def command(
    session_id: str, wait_s: float | None, show_media: bool, as_json: bool, **where: Any
) -> int:
    """Show how a session stands, and the results of the calls in it.

    The exit code is 0 only if it is approved and every result in it is a pass; 1 if it is declined
    or a result is not a pass; 3 if somebody is still to look, and for a search or an estimation of
    age. No review threshold of yours is applied: Didit's records do not know it.
    """
    from ._opening import Where, opened
    from ._printing import document, say
    from ._session_text import decision_document, ending, show_decision

    with opened(Where(**where)) as account:
        if wait_s is None:
            session = account.decision(session_id)
        else:
            session = account.wait_for_review(session_id, timeout_s=wait_s)
    if show_media and session.media:
        say("Whoever has these addresses sees the faces, for about an hour.", err=True)
    if as_json:
        document(decision_document(session, show_media=show_media))
    else:
        show_decision(session, show_media=show_media)
    return ending(session)
