"""`facematch didit update-status`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from facematch_didit.account import Node, SessionStatus

from . import _options

#: What Didit sets.
_NEW = ("approved", "declined", "resubmitted")


def _nodes(
    _context: click.Context, _option: click.Parameter, given: Sequence[str]
) -> tuple[Node, ...]:
    nodes = []
    for word in given:
        node_id, equals, feature = word.partition("=")
        if not (node_id and equals and feature):
            raise click.UsageError(f"--node is NODE_ID=FEATURE, not {word[:60]!r}.")
        nodes.append(Node(node_id=node_id, feature=feature))
    return tuple(nodes)


@click.command("update-status", short_help="Approve, decline or send back a session.")
@_options.session_id
@click.argument("status", type=click.Choice(_NEW))
@click.option("--comment", metavar="TEXT", help="Kept with the review.")
@click.option(
    "--node",
    "nodes",
    multiple=True,
    callback=_nodes,
    metavar="NODE_ID=FEATURE",
    help="With resubmitted: what is to be done again; repeatable.",
)
@click.option("--email", metavar="ADDRESS", help="Have Didit write to the person.")
@click.option("--email-language", metavar="CODE", help="In which language.")
@_options.yes
@_options.where
@_options.as_json
def command(
    *,
    session_id: str,
    status: str,
    comment: str | None,
    nodes: tuple[Node, ...],
    email: str | None,
    email_language: str | None,
    yes: bool,
    as_json: bool,
    **where: Any,
) -> None:
    """Decide about a session, as a person would in Didit's console.

    Didit notes it as a review, and tells webhook destinations. Doing it a second time is refused.
    """
    from . import _asking
    from ._opening import Where, opened
    from ._printing import document, say

    if email_language is not None and email is None:
        raise click.UsageError("--email-language goes with --email.")
    place = Where(**where)
    with opened(place) as account:
        writing = "" if email is None else f", have Didit write to {email}"
        _asking.confirm(
            f"Set session {session_id} to {status}{writing}, with {place.key_from()}?", yes=yes
        )
        account.update_status(
            session_id,
            SessionStatus(status),
            comment=comment,
            nodes_to_resubmit=nodes,
            send_email=email is not None,
            email_address=email,
            email_language=email_language,
        )
    if as_json:
        document({"session_id": session_id, "status": status})
        return
    say(f"session {session_id} is {status} now")
