"""`facematch drift`: whether the real vendor still behaves as the claims of the mock say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from facematch_core import ConfigurationError

from ._groups import GROUPS

#: The exit code for "something differs", as `facematch -h` has it.
DRIFT = 8
#: The exit code for "the vendor failed", likewise.
_VENDOR = 5

_FILE = click.Path(path_type=Path)


@click.group("drift", short_help="Ask a real vendor whether its documents still hold.")
def command() -> None:
    """Find out whether a vendor still behaves as its documents say.

    \b
    facematch drift didit --live --probe selfie.jpg --reference id.jpg
    """


@command.command("didit", short_help="Ask Didit, or a mock of it.")
@click.option("--live", is_flag=True, help="Ask the real vendor. It costs money.")
@click.option("--probe", type=_FILE, required=True, metavar="FILE", help="A live face.")
@click.option(
    "--reference", type=_FILE, required=True, metavar="FILE", help="The same person once more."
)
@click.option("--other", type=_FILE, metavar="FILE", help="Another person, who agrees to it.")
@click.option(
    "--profile",
    metavar="NAME",
    help="A profile of the configuration; else the key in $DIDIT_API_KEY.",
)
@click.option("--config", metavar="FILE", type=click.Path(), help="The configuration file.")
@click.option("--base-url", metavar="URL", help="Where to ask: a mock on this machine.")
@click.option("--sandbox", is_flag=True, help="The key is one of a sandbox: nothing is paid.")
@click.option("--edition", metavar="EDITION", help="Whose documents; the newest by default.")
@click.option("--search", is_flag=True, help="Search faces, too: it looks at your whole index.")
@click.option(
    "--skip",
    multiple=True,
    type=click.Choice(GROUPS),
    help="Leave requests out; may be repeated.",
)
@click.option("--yes", is_flag=True, help="Do not ask before it begins.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--out", type=_FILE, metavar="FILE", help="Write the JSON into a file, too.")
@click.option("--force", is_flag=True, help="Overwrite that file.")
@click.option("--all", "every", is_flag=True, help="List the claims that cannot be seen.")
def didit(as_json: bool, out: Path | None, force: bool, every: bool, **wanted: Any) -> int:
    """Ask Didit, or a mock of it on this machine, and compare with what its documents say.

    The pictures go to Didit. Calls are paid: what and how much is told before. Only shapes of
    answers are looked at: no picture, key, id, score or name is written anywhere.

    The exit code is 8 if something differs, and 5 if it ended early without a difference.
    """
    try:
        from ._asking import ask
        from ._telling import told
        from .didit import SCRIPT
    except ModuleNotFoundError as missing:
        raise ConfigurationError(
            f'The model needs {missing.name}: pip install "facematch-core[mock]".'
        ) from None
    if out is not None and out.exists() and not force:
        raise click.UsageError(f"{_clean(out)} is there already; overwrite with --force.")
    if out is not None and not out.parent.is_dir():
        raise click.UsageError(f"{_clean(out)} cannot be written: its folder does not exist.")
    report = ask(SCRIPT, **wanted)
    document = json.dumps(report.to_dict(), indent=2)
    click.echo(document if as_json else told(report, every=every))
    if out is not None:
        out.write_text(f"{document}\n", encoding="utf-8")
    if report.is_drift:
        return DRIFT
    return _VENDOR if report.run.stopped is not None else 0


def _clean(path: Path) -> str:
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(path))
