"""The options of `facematch drill`."""

from __future__ import annotations

import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs
import click

from . import example_shop
from .application import url_of
from .stories import STORIES

#: The stories of the example: one shows its mistake.
_EXAMPLE = (
    "begin,pass",
    "begin,other",
    "begin-twice,pass",
    "begin,fail,pass,hooks-reversed",
    "begin,pass,hooks-twice",
    "begin,forged",
)


@attrs.frozen(kw_only=True)
class Options:
    """The options of the command line, by their names; `stories` are those to play, with titles."""

    vendor: str
    begin: str | None
    state: str | None
    webhook: str | None
    job: str | None
    words: Sequence[str]
    once: Sequence[str]
    secret_file: Path | None
    document_name: str | None
    deliver_to: str | None
    port: int
    host: str
    door_port: int | None
    ca_folder: Path | None
    customers: int | None
    seed: int
    story: str | None
    stories_file: Path | None
    skip: Sequence[str]
    is_strict: bool
    timeout_s: float | None
    junit: Path | None
    is_example: bool
    program: Sequence[str]
    stories: Mapping[str, str] = STORIES

    def check_door(self) -> None:
        """Raise UsageError for options of a door that do not go together."""
        if self.door_port is None and self.ca_folder is not None:
            raise click.UsageError("--ca-folder needs --door-port.")
        if self.door_port is not None and self.program:
            raise click.UsageError("COMMAND has a door of its own: leave out --door-port.")

    def urls(self, *targets: str | None) -> list[str]:
        """Return the URLs of those targets that are none of commands, for some customer."""
        urls = []
        for target in targets:
            url = url_of(target) if target else None
            if url is not None:
                urls.append(url.replace("{customer}", "x").replace("{email}", "x"))
        return urls


def example(options: Options) -> Options:
    """Return the options that play a few stories with a small shop, which has a mistake.

    Raises UsageError if an option names another application.
    """
    own = (options.vendor, options.begin, options.state, options.webhook, options.job)
    if any(own) or options.program:
        raise click.UsageError(
            "--example drills its own shop: leave out COMMAND, --vendor, --begin, --state, "
            "--webhook and --job."
        )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    return attrs.evolve(
        options,
        vendor="stripe",
        begin=f"POST {url}/verify?customer={{customer}}",
        state=f"{url}/state?customer={{customer}}",
        webhook=f"{url}/webhook",
        program=(sys.executable, example_shop.__file__, str(port)),
        stories={story: STORIES[story] for story in _EXAMPLE},
    )
