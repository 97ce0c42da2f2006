"""`facematch new-backend`: a plug-in repository to begin with."""

from __future__ import annotations

from pathlib import Path

import click

from . import _options


@click.command(
    "new-backend",
    short_help="Write a small, complete plug-in repository that passes its own tests.",
)
@click.argument("name")
@click.option(
    "--into",
    type=_options.FILE,
    metavar="DIR",
    default=Path(),
    help="The folder to write it into; by default the current one.",
)
def command(name: str, into: Path) -> None:
    """Write a small, complete plug-in repository, facematch-NAME, that passes its own tests.

    NAME is what your backend will be opened by: small letters, digits, hyphens.

    \b
    facematch new-backend my-vendor
    facematch new-backend my-vendor --into ~/src

    The vendor in it is invented, and is to be replaced by yours: README.md says what to change, in
    order. A folder that exists is left alone.
    """
    from . import _new_backend

    _new_backend.run(name, into)
