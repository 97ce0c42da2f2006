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
) -> int:
    """Delete sessions with their pictures and faces.

    There is no undo, and the credit is not given back. What became of each session is told one by
    one; the exit code is that of the worst. After an error the rest is not tried. Didit can also
    delete everything at once; that is not offered here.
    """
    from . import _asking, _deleting
    from ._opening import Where, opened
    from ._printing import counted, document, say

    if bool(session_ids) == bool(numbers):
        raise click.UsageError("Name sessions, by SESSION_ID or by --number, and not by both.")
    ids = _deleting.checked(session_ids)
    place = Where(**where)
    named = [*ids, *(f"number {number}" for number in numbers)]
    told = f"session {named[0]}" if len(named) == 1 else counted(len(named), "session")
    with opened(place) as account:
        _asking.confirm(
            f"Delete {told} with all pictures and faces, for good, with {place.key_from()}?",
            yes=yes,
        )
        if numbers:
            account.delete_many(numbers)
        fates = _deleting.delete_each(account, ids, tell=not as_json)
    if as_json:
        document(
            {
                "sessions": [{"session_id": one.session_id, "outcome": one.word} for one in fates],
                "session_numbers": [*numbers],
                "error": next((one.error for one in fates if one.error is not None), None),
            }
        )
    elif numbers:
        say(f"deleted, as far as there were any: {', '.join(map(str, numbers))}")
    return _deleting.ending(fates)
