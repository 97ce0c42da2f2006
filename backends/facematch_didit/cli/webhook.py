"""`facematch didit webhook verify`."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import click

from . import _options

#: The secret of a destination, where no file is named.
VARIABLE = "DIDIT_WEBHOOK_SECRET"

_TIME = click.DateTime(formats=["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S%z"])


@click.group("webhook", short_help="Verify a delivery that Didit sent.")
def command() -> None:
    """What Didit reports."""


@command.command("verify", short_help="Is it Didit's, and what does it say?")
@click.argument("body", type=click.Path(allow_dash=True), default="-")
@click.option(
    "--headers",
    "headers_file",
    type=_options.FILE,
    metavar="FILE",
    help="The headers of the request: lines NAME: VALUE, or a JSON object.",
)
@click.option("-H", "--header", "headers", multiple=True, metavar="NAME:VALUE", help="One of them.")
@click.option(
    "--secret-file",
    "secret_files",
    type=_options.FILE,
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
@_options.as_json
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
    from . import _delivery
    from ._printing import document

    now = None
    if received_at is not None:
        now = received_at if received_at.tzinfo else received_at.replace(tzinfo=dt.UTC)
    found = _delivery.judged(
        _delivery.read_body(body),
        _delivery.read_headers(headers_file, headers),
        _delivery.read_secrets(secret_files, VARIABLE),
        now=now,
        **given,
    )
    if as_json:
        document(_delivery.as_document(found))
    else:
        _delivery.show(found, saved_at_told=now is not None)
    return _delivery.ending(found)
