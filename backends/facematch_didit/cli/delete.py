"""`facematch didit delete`."""

from __future__ import annotations

from typing import Any

import click

from . import _options


@click.command("delete", short_help="Delete sessions, their pictures and faces, for good.")
@click.argument("session_ids", metavar="[SESSION_ID]...", nargs=-1)
@click.option(
    "--number",
    "numbers",
    type=click.IntRange(0),
    multiple=True,
    metavar="NUMBER",
    help="Instead: by its number; repeatable. Unknown numbers are skipped.",
)
@_options.yes
@_options.where
@_options.as_json
def command(
    session_ids: tuple[str, ...],
    numbers: tuple[int, ...],
    yes: bool,
    as_json: bool,
    **where: Any,
) -> None:
    """Delete sessions with their pictures and faces.

    There is no undo, and the credit is not given back. Didit can also delete everything at once;
    that is not offered here.
    """
    from . import _asking
    from ._opening import Where, opened
    from ._printing import counted, document, say

    if bool(session_ids) == bool(numbers):
        raise click.UsageError("Name sessions, by SESSION_ID or by --number, and not by both.")
    place = Where(**where)
    named = [*session_ids, *(f"number {number}" for number in numbers)]
    told = f"session {named[0]}" if len(named) == 1 else counted(len(named), "session")
    with opened(place) as account:
        _asking.confirm(
            f"Delete {told} with all pictures and faces, for good, with {place.key_from()}?",
            yes=yes,
        )
        if numbers:
            account.delete_many(numbers)
        for session_id in session_ids:
            gone = account.delete(session_id)
            if not as_json:
                say(f"deleted: session {gone.session_id}")
    if as_json:
        document({"session_ids": [*session_ids], "session_numbers": [*numbers]})
    elif numbers:
        say(f"deleted, as far as there were any: {', '.join(map(str, numbers))}")
