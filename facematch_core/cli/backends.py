"""`facematch backends`: what is installed, and what each can do."""

from __future__ import annotations

import json

import click

from . import _options


@click.command("backends", short_help="List the backends and what each can do.")
@_options.as_json
def command(as_json: bool) -> None:
    """List the backends that are installed, what each can do, and what keeps one from being used.

    Each plug-in is loaded and opened; nothing is sent.
    """
    from ._capabilities import as_document, inspected, show

    found = inspected()
    if as_json:
        click.echo(json.dumps({"backends": [as_document(entry) for entry in found]}, indent=2))
    else:
        show(found)
