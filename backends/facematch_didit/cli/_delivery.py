"""A delivery in files: read, judged, shown."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import attrs
import click

from facematch_core import ConfigurationError, Environment, Secret
from facematch_didit.webhooks import Refusal, WebhookEvent, WebhookRefused, verify_webhook

from ._printing import iso, moment, say

GENUINE, REFUSED = 0, 1

#: Far more than a delivery has; the longer ones are refused by their length.
_MOST_BYTES = 1 << 21

#: How a request begins where its headers are saved as they came.
_REQUEST_LINE = re.compile(r"[A-Z]+ \S+ HTTP/[0-9.]+$")


@attrs.frozen
class Pairs:
    """Headers in the order in which they came; one name may stand there twice."""

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
