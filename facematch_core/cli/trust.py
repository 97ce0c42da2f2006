"""`facematch trust`: let a configuration file of the current folder do all that one can."""

from __future__ import annotations

import click

from facematch_core.config import FILE_NAME, distrust, trust, trusted_files

from .common import Exit


@click.command("trust", short_help="Let ./facematch.toml name hosts, keys and stores.")
@click.argument("file", default=FILE_NAME, type=click.Path(), metavar="[FILE]")
@click.option("--remove", is_flag=True, help="No longer trust FILE.")
@click.option("--list", "listing", is_flag=True, help="List the files that were trusted.")
def command(file: str, remove: bool, listing: bool) -> int:
    """Trust FILE, by default ./facematch.toml, until it changes.

    A file in the current folder may be a stranger's, for example in a repository that you cloned.
    Until you trust it, it may name no host but the vendor's own and this machine, no key but the
    backend's own, and no place outside its folder. Read it first. A file that you name with
    --config or $FACEMATCH_CONFIG needs no trust.
    """
    if listing:
        for path in sorted(trusted_files()):
            click.echo(click.format_filename(path))
    elif remove:
        was = distrust(file)
        click.echo(
            f"{click.format_filename(file)}: {'no longer trusted' if was else 'was not trusted'}"
        )
    else:
        click.echo(f"{click.format_filename(trust(file))}: trusted until it changes")
    return Exit.OK
