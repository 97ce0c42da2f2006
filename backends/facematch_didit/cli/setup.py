"""`facematch didit setup`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from . import _options


@click.command("setup", short_help="Open an account, or take its key, and write a profile.")
@click.option(
    "--have",
    type=click.Choice(["nothing", "code", "key"]),
    help="What you have: asked if left out.",
)
@click.option("--email", metavar="ADDRESS", help="Asked if left out.")
@click.option(
    "--profile", metavar="NAME", default="didit", show_default=True, help="The new profile."
)
@_options.config
@click.option(
    "--key-file",
    type=_options.FILE,
    metavar="FILE",
    help="Where the key goes; by default NAME.key in the user's folder of configuration.",
)
@click.option(
    "--environment",
    type=click.Choice(["production", "sandbox", "mock"]),
    help="What kind of key it is; production unless said otherwise.",
)
@_options.address
@click.option("--show-key", is_flag=True, help="Print the key at the end as well.")
def command(
    *,
    have: str | None,
    email: str | None,
    profile: str,
    config: str | None,
    key_file: Path | None,
    environment: str | None,
    show_key: bool,
    **address: Any,
) -> None:
    """Go from nothing to a profile that works, step by step.

    Opens an account at Didit, or takes the key of one; writes the key into a file that only you can
    read, and a profile that names the file. Nothing is charged.
    """
    from ._accounts import usual_key_file
    from ._places import FILE_NAME, configuration, folder
    from ._profile_file import NewProfile, check_name
    from ._setup import Setup

    check_name(profile)
    given = _options.of_account(address)
    told = {name: given[name] for name in ("base_url", "allow_base_url") if name in given}
    Setup(
        have=have,
        email=email,
        is_named=config is not None,
        file=configuration(config) or folder() / FILE_NAME,
        profile=NewProfile(
            name=profile,
            key_file=key_file or usual_key_file(profile),
            settings=told | ({"environment": environment} if environment else {}),
        ),
        address=given | ({"environment": environment} if environment else {}),
        show_key=show_key,
    ).run()
