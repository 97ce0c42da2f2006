"""`facematch didit destinations` and `webhook`: where Didit reports, and what came from it."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import attrs
import click

from facematch_core import ConfigurationError, Environment, Secret
from facematch_didit.account import WebhookDestination
from facematch_didit.webhooks import Refusal, WebhookEvent, WebhookRefused, verify_webhook

from . import _common as common
from ._common import Where, document, iso, moment, opened, say, table
from ._private_file import private_file

# --- destinations ---------------------------------------------------------------------------------


@click.group("destinations", short_help="Where Didit reports what happens: list, create, delete.")
def destinations() -> None:
    """Where Didit reports what happens to sessions.

    Deliveries are signed with the secret of their destination: `facematch didit webhook verify`.
    """


@destinations.command("list", short_help="List them, without their secrets.")
@common.where
@common.as_json
def list_command(as_json: bool, **where: Any) -> None:
    """List the destinations, without their secrets and without the query of their addresses."""
    with opened(Where(**where)) as account:
        found = account.destinations.list()
    if as_json:
        document({"destinations": [destination_document(item) for item in found]})
    elif found:
        show_destinations(found)
    else:
        say("There is none.")


@destinations.command("create", short_help="Add one; its secret goes into a file.")
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
    type=common.FILE,
    metavar="FILE",
    required=True,
    help="Where the secret goes; only you can read it.",
)
@common.force
@common.where
@common.as_json
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
    replace = common.may_replace(secret_file, force=force)
    with (
        private_file(secret_file, replace=replace) as keep,
        opened(Where(**where)) as account,
    ):
        made = account.destinations.create(label, url, events)
        # Some answers of a creation are known to lack it; reading it again shows it.
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


@destinations.command("delete", short_help="Remove one.")
@click.argument("destination_id")
@common.yes
@common.where
@common.as_json
def delete(destination_id: str, yes: bool, as_json: bool, **where: Any) -> None:
    """Have nothing reported there any more; its secret is gone with it."""
    place = Where(**where)
    with opened(place) as account:
        common.confirm(
            f"Delete the destination {destination_id}, with {place.key_from()}?", yes=yes
        )
        account.destinations.delete(destination_id)
    if as_json:
        document({"destination_id": destination_id})
        return
    say(f"deleted: destination {destination_id}")


def shown_address(url: str) -> str:
    """An address of a destination without what may be a token: name, password, query, fragment."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", "" if parts.port is None else f":{parts.port}"
    except ValueError:
        return "(an address that cannot be read)"
    host = f"[{host}]" if ":" in host else host
    more = "?..." if parts.query or parts.fragment else ""
    return f"{parts.scheme}://{host}{port}{parts.path}{more}"


def show_destinations(found: list[WebhookDestination]) -> None:
    """A table."""
    rows = [
        (
            item.destination_id,
            _enabled(item.enabled),
            item.label,
            shown_address(item.url),
            *_what(item),
        )
        for item in found
    ]
    table(("id", "on", "label", "address", "events", "form"), rows, whole="id")


def _what(item: WebhookDestination) -> tuple[str, str | None]:
    return ", ".join(item.events), item.version


def _enabled(enabled: bool | None) -> str | None:
    return {True: "yes", False: "no"}.get(enabled) if enabled is not None else None


def destination_document(item: WebhookDestination) -> dict[str, Any]:
    """Without its secret."""
    return {
        "destination_id": item.destination_id,
        "label": item.label,
        "url": shown_address(item.url),
        "enabled": item.enabled,
        "version": item.version,
        "events": [*item.events],
        "created_at": iso(item.created_at),
        "updated_at": iso(item.updated_at),
    }


# --- webhook --------------------------------------------------------------------------------------


#: The secret of a destination, where no file is named.
VARIABLE = "DIDIT_WEBHOOK_SECRET"

_TIME = click.DateTime(formats=["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S%z"])


@click.group("webhook", short_help="Verify a delivery that Didit sent.")
def webhook() -> None:
    """What Didit reports."""


@webhook.command("verify", short_help="Is it Didit's, and what does it say?")
@click.argument("body", type=click.Path(allow_dash=True), default="-")
@click.option(
    "--headers",
    "headers_file",
    type=common.FILE,
    metavar="FILE",
    help="The headers of the request: lines NAME: VALUE, or a JSON object.",
)
@click.option("-H", "--header", "headers", multiple=True, metavar="NAME:VALUE", help="One of them.")
@click.option(
    "--secret-file",
    "secret_files",
    type=common.FILE,
    multiple=True,
    metavar="FILE",
    help=f"With the destination's secret; repeatable. Else ${VARIABLE}.",
)
@click.option(
    "--received-at",
    type=_TIME,
    metavar="TIME",
    help="When it came, for one that was saved: 2026-07-31T09:15:27Z. Now by default.",
)
@click.option(
    "--tolerance",
    "tolerance_s",
    type=click.FloatRange(0, 86_400),
    metavar="SECONDS",
    default=300,
    show_default=True,
    help="How old it may be.",
)
@click.option(
    "--accept-prefixed-v2", is_flag=True, help="Take the V2 signature of early 2026, too."
)
@common.as_json
def verify(
    *,
    body: str,
    headers_file: Path | None,
    headers: tuple[str, ...],
    secret_files: tuple[Path, ...],
    received_at: dt.datetime | None,
    as_json: bool,
    **given: Any,
) -> int:
    """Is the delivery with these bytes as its BODY Didit's, and what does it say?

    BODY is a file, or - for standard input. It must be as it came, byte by byte. The exit code is 1
    if the delivery must not be acted on. Whether it came before is not looked at.

    \b
    facematch didit webhook verify body.json --headers headers.txt --secret-file webhook.secret
    """
    now = None
    if received_at is not None:
        now = received_at if received_at.tzinfo else received_at.replace(tzinfo=dt.UTC)
    found = judged(
        read_body(body),
        read_headers(headers_file, headers),
        read_secrets(secret_files, VARIABLE),
        now=now,
        **given,
    )
    if as_json:
        document(as_document(found))
    else:
        show(found, saved_at_told=now is not None)
    return ending(found)


# --- A delivery in files: read, judged, shown -----------------------------------------------------


GENUINE, REFUSED = 0, 1

#: Far more than a delivery has; the longer ones are refused by their length.
_MOST_BYTES = 1 << 21

#: How a request begins where its headers are saved as they came.
_REQUEST_LINE = re.compile(r"[A-Z]+ \S+ HTTP/[0-9.]+$")


@attrs.frozen
class Pairs:
    """Headers in the order in which they came; one name may be there twice."""

    pairs: Sequence[tuple[str, str]]

    def items(self) -> Iterable[tuple[str | bytes, object]]:
        """As a mapping gives them."""
        return self.pairs


def read_body(named: str) -> bytes:
    """The bytes of a file, or of standard input for ``-``."""
    try:
        if named == "-":
            return sys.stdin.buffer.read(_MOST_BYTES)
        with Path(named).open("rb") as file:
            return file.read(_MOST_BYTES)
    except (OSError, ValueError) as error:
        raise _unreadable(named, error) from None


def read_headers(file: Path | None, given: Sequence[str]) -> Pairs:
    """The headers of a file and of the command line.

    Raises:
        click.UsageError: there are none, or one is no header.
    """
    pairs = [*(_in_file(file) if file else ()), *(_pair(line, "-H") for line in given)]
    if not pairs:
        raise click.UsageError(
            "Name the headers that came with it, with --headers FILE or -H: its signature is one."
        )
    return Pairs(pairs)


def _in_file(file: Path) -> Iterator[tuple[str, str]]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise _unreadable(str(file), error) from None
    if text.lstrip().startswith("{"):
        yield from _in_json(file, text)
        return
    for number, line in enumerate(text.splitlines()):
        if line.strip() and not (number == 0 and _REQUEST_LINE.match(line.strip())):
            yield _pair(line, str(file))


def _in_json(file: Path, text: str) -> Iterator[tuple[str, str]]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise click.UsageError(f"{file} must be a JSON object of texts, or lines NAME: VALUE.")
    yield from found.items()


def _pair(line: str, place: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or not name.strip():
        raise click.UsageError(
            f"{place}: a header is NAME: VALUE; a line of {len(line)} characters is none."
        )
    return name.strip(), value.strip()


def read_secrets(files: Sequence[Path], variable: str) -> list[Secret]:
    """The secrets of the files; without files, that of the environment."""
    if not files:
        if not os.environ.get(variable):
            raise click.UsageError(
                f"Name the destination's secret with --secret-file, or set ${variable}."
            )
        return [Secret.from_environment(variable)]
    try:
        return [Secret.from_file(file) for file in files]
    except ConfigurationError as error:
        raise click.UsageError(error.message) from None


def _unreadable(named: str, error: Exception) -> click.UsageError:
    reason = getattr(error, "strerror", None) or type(error).__name__
    return click.UsageError(f"{named} cannot be read: {reason}.")


def judged(
    body: bytes, headers: Pairs, secrets: list[Secret], *, now: datetime | None, **given: Any
) -> WebhookEvent | WebhookRefused:
    """What `verify_webhook` says of it."""
    try:
        return verify_webhook(body, headers, secrets, now, **given)
    except WebhookRefused as refused:
        return refused


def ending(found: WebhookEvent | WebhookRefused) -> int:
    """The exit code."""
    return GENUINE if isinstance(found, WebhookEvent) else REFUSED


def show(found: WebhookEvent | WebhookRefused, *, saved_at_told: bool) -> None:
    """Tell people; nothing of a refused body."""
    if isinstance(found, WebhookRefused):
        say(f"REFUSED  {found.reason.value}: {found.message}")
        if found.reason is Refusal.STALE and not saved_at_told:
            say("  for a delivery that was saved, say when it came: --received-at TIME")
        return
    about = "" if found.session_id is None else f", session {found.session_id}"
    status = "" if found.vendor_status is None else f", status {found.vendor_status}"
    say(f"GENUINE  {found.type}{about}{status}")
    event = "" if found.event_id is None else f", event {found.event_id}"
    say(f"  sent {moment(found.timestamp)} UTC{event}")
    say(f"  signature {found.signature.value}, secret number {found.secret_index + 1}")
    if found.environment in (Environment.MOCK, Environment.SANDBOX):
        say(f"  from a {found.environment.value}: not real")
    if found.is_test:
        say("  asked for in Didit's console: its decision is made up")


def as_document(found: WebhookEvent | WebhookRefused) -> dict[str, Any]:
    """The JSON form, without the decision: it holds addresses of pictures."""
    if isinstance(found, WebhookRefused):
        return {
            "genuine": False,
            "reason": found.reason.value,
            "message": found.message,
            "http_status": found.http_status,
        }
    return {
        "genuine": True,
        "type": found.type,
        "event_id": found.event_id,
        "session_id": found.session_id,
        "status": None if found.status is None else found.status.value,
        "vendor_status": found.vendor_status,
        "timestamp": iso(found.timestamp),
        "environment": None if found.environment is None else found.environment.value,
        "signature": found.signature.value,
        "secret_index": found.secret_index,
        "is_test": found.is_test,
    }
