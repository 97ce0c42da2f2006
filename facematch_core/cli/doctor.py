"""`facematch doctor`: every setting, where it comes from, and what is missing."""

from __future__ import annotations

import json
from typing import Any

import click

from . import _exit, _options


@click.command("doctor", short_help="Show every setting, where it comes from, and what is missing.")
@_options.where
@_options.as_json
def command(as_json: bool, **where: Any) -> int:
    """Show what would be used and where each setting comes from. Keys are never shown.

    Nothing is sent. The exit code is 4 if the chosen backend cannot be used as it is.
    """
    from ._doctor import as_document, examined, show
    from ._opening import Where

    findings = examined(Where(**where))
    if as_json:
        click.echo(json.dumps(as_document(findings), indent=2))
    else:
        show(findings)
    return _exit.OK if findings.problem is None else _exit.CONFIGURATION
