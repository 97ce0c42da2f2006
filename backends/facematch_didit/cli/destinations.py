"""`facematch didit destinations`: list, create, delete."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from . import _options


@click.group("destinations", short_help="Where Didit reports what happens: list, create, delete.")
def command() -> None:
    """Where Didit reports what happens to sessions.

    Deliveries are signed with the secret of their destination: `facematch didit webhook verify`.
    """


@command.command("list", short_help="List them, without their secrets.")
@_options.where
@_options.as_json
def list_command(as_json: bool, **where: Any) -> None:
    """List the destinations, without their secrets and without the query of their addresses."""
    from ._opening import Where, opened
    from ._printing import document, say
    from ._texts import destination_document, show_destinations

    with opened(Where(**where)) as account:
        found = account.destinations.list()
    if as_json:
        document({"destinations": [destination_document(item) for item in found]})
    elif found:
        show_destinations(found)
    else:
        say("There is none.")


@command.command("create", short_help="Add one; its secret goes into a file.")
@click.argument("url")
@click.option("--label", metavar="TEXT", default="facematch", show_default=True, help="Its name.")
@click.option(
    "--event",
    "events",
    multiple=True,
    metavar="NAME",
    default=("status.updated",),
    show_default=True,
    help="What is reported; repeatable.",
)
@click.option(
    "--secret-file",
    type=_options.FILE,
    metavar="FILE",
    required=True,
    help="Where the secret goes; only you can read it.",
)
@_options.force
@_options.where
@_options.as_json
def create(
    *,
    url: str,
    label: str,
    events: tuple[str, ...],
    secret_file: Path,
    force: bool,
    as_json: bool,
    **where: Any,
) -> None:
    """Have what happens to sessions reported to URL, which must be public and of https."""
    from . import _asking
    from ._opening import Where, opened
    from ._printing import document, say
    from ._private_file import private_file
    from ._texts import destination_document

    replace = _asking.may_replace(secret_file, force=force)
    with (
        private_file(secret_file, replace=replace) as keep,
        opened(Where(**where)) as account,
    ):
        made = account.destinations.create(label, url, events)
        # Some answers of a creation are known to lack it; reading it again tells it.
        known = made if made.secret else account.destinations.get(made.destination_id)
        if known.secret is not None:
            keep(known.secret)
    path = None if known.secret is None else str(secret_file)
    if as_json:
        document({**destination_document(known), "secret_file": path})
        return
    say(f"destination {known.destination_id} is there")
    if path is None:
        say("Didit did not tell its secret: take it from Didit's console.", err=True)
    else:
        say(f"Its secret is in {path}; only you can read it.")


@command.command("delete", short_help="Remove one.")
@click.argument("destination_id")
@_options.yes
@_options.where
@_options.as_json
def delete(destination_id: str, yes: bool, as_json: bool, **where: Any) -> None:
    """Have nothing reported there any more; its secret is gone with it."""
    from . import _asking
    from ._opening import Where, opened
    from ._printing import document, say

    place = Where(**where)
    with opened(place) as account:
        _asking.confirm(
            f"Delete the destination {destination_id}, with {place.key_from()}?", yes=yes
        )
        account.destinations.delete(destination_id)
    if as_json:
        document({"destination_id": destination_id})
        return
    say(f"deleted: destination {destination_id}")
