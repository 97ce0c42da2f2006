"""`facematch drift VENDOR`: whether the real vendor still behaves as the claims of the mock say."""

from __future__ import annotations

import datetime as dt
import json
import secrets
import sys
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import urlsplit

import click

from facematch_core import ConfigurationError
from facematch_core.files import write_file

from .script import Chain, Script, script_named, script_names

#: The exit codes for "something differs" and "the vendor failed", as `facematch -h` has them.
DRIFT, VENDOR = 8, 5

_FILE = click.Path(path_type=Path)


class _Vendors(click.Group):
    """A command for each vendor that has a script."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return script_names()

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        script = script_named(cmd_name)
        return None if script is None else _command(script)


@click.group(
    "drift", cls=_Vendors, short_help="Check whether a vendor still behaves as documented."
)
def command() -> None:
    """Check whether a vendor still behaves as its documents say.

    \b
    facematch drift didit --live --probe selfie.jpg --reference id.jpg
    """


def _command(script: Script) -> click.Command:
    @click.command(
        script.vendor,
        short_help=f"Check {script.title}, or a mock of it.",
        help=f"""Call {script.title}, or a mock of it on this machine, and compare its answers with
        what its documents say.

        The pictures go to {script.title}, and you pay for the calls: what and how much is printed
        first. Only the shapes of answers are compared: no picture, key, id, score or name is
        written anywhere.

        The exit code is 8 if something differs, and 5 if it ended early without a difference.""",
    )
    @click.option("--live", is_flag=True, help="Call the real vendor. This costs money.")
    @click.option("--probe", type=_FILE, required=True, metavar="FILE", help="A live face.")
    @click.option(
        "--reference", type=_FILE, required=True, metavar="FILE", help="The same person again."
    )
    @click.option("--other", type=_FILE, metavar="FILE", help="Another person, who has agreed.")
    @click.option(
        "--profile",
        metavar="NAME",
        help="A profile of the configuration; without it, the key from the environment.",
    )
    @click.option("--config", metavar="FILE", type=click.Path(), help="The configuration file.")
    @click.option("--base-url", metavar="URL", help="The address of a mock on this machine.")
    @click.option("--sandbox", is_flag=True, help="The key is a sandbox key: calls are free.")
    @click.option(
        "--edition", metavar="EDITION", help="Edition of the documents; the newest by default."
    )
    @click.option(
        "--skip",
        multiple=True,
        type=click.Choice([one for one in script.groups if one not in script.opt_in]),
        help="Leave these calls out; repeatable.",
    )
    @click.option("--yes", is_flag=True, help="Start without asking.")
    @click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    @click.option("--out", type=_FILE, metavar="FILE", help="Write the JSON into a file, too.")
    @click.option("--force", is_flag=True, help="Overwrite that file.")
    @click.option(
        "--all", "every", is_flag=True, help="List the claims that this run does not touch."
    )
    def drift(as_json: bool, out: Path | None, force: bool, every: bool, **wanted: Any) -> int:
        if out is not None and out.exists() and not force:
            raise click.UsageError(f"{str(out)!r} exists; --force overwrites it.")
        if out is not None and not out.parent.is_dir():
            raise click.UsageError(f"{str(out)!r} cannot be written: its folder does not exist.")
        try:
            report = _ask(script, wanted)
        except ModuleNotFoundError as missing:
            raise ConfigurationError(
                f'The model needs {missing.name}: pip install "facematch-core[mock]".'
            ) from None
        document = json.dumps(report.to_dict(), indent=2)
        click.echo(document if as_json else report.to_text(every=every))
        if out is not None:
            write_file(out, f"{document}\n".encode())
        if report.is_drift:
            return DRIFT
        return VENDOR if report.run.stopped is not None else 0

    for group in sorted(script.opt_in):
        text = f"Include these calls: {script.groups[group]}."
        drift = click.option(f"--{group}", is_flag=True, help=text)(drift)
    return drift


def _needs_other(chain: Chain) -> bool:
    return any(file.picture == "other" for step in chain.steps for file in step.files)


def _ask(script: Script, wanted: dict[str, Any]) -> Any:
    """The report: opens, asks first, plays, judges."""
    from facematch_core import Environment
    from facematch_core.config import plan
    from facematch_core.http import is_loopback

    from .judge import judge
    from .pictures import pictures_of
    from .report import Report
    from .run import Player, Side, credentials_of, editions_of

    def is_near(url: str) -> bool:
        return is_loopback(urlsplit(url).hostname or "")

    editions = editions_of(script.vendor)
    edition = wanted["edition"] or editions[-1]
    if edition not in editions:
        raise click.UsageError(
            f"There is no edition {edition[:40]!r}; there are {', '.join(editions)}."
        )
    profile, base_url = wanted["profile"], wanted["base_url"]
    opening: dict[str, Any] = {"profile": profile, "config": wanted["config"]}
    settings = {} if base_url is None else {"base_url": base_url}
    if profile is None:
        if wanted["config"] is not None:
            raise click.UsageError("--config goes with --profile.")
        opening = {"backend": script.vendor}
        if base_url is not None and is_near(base_url):
            # A mock gets the key that every mock knows, never the one in the environment.
            known = credentials_of(script.vendor, sandbox=wanted["sandbox"])
            settings |= {attr: known[name] for name, attr in script.credentials.items()}
    with plan(**opening, settings=settings, here=True).open() as verifier:
        backend: Any = getattr(verifier, "backend", None)
        if getattr(backend, "name", None) != script.vendor:
            raise click.UsageError(
                f"The profile {profile} is not one of the backend {script.vendor} alone."
            )
        near = is_near(backend.base_url)
        if backend.environment is Environment.MOCK and not near:
            raise click.UsageError(
                f"The profile {profile} is for a mock only, and {backend.base_url} is not one."
            )
        if not (wanted["live"] or near):
            raise click.UsageError(
                f"This calls the real {script.title}, and you pay for it: add --live if you want "
                "that, or name a mock on this machine with --base-url."
            )
        sandbox = wanted["sandbox"] or backend.environment is Environment.SANDBOX
        pictures = pictures_of(
            wanted["probe"], wanted["reference"], wanted["other"], backend.capabilities.image_limits
        )
        left_out = {*wanted["skip"], *(name for name in script.opt_in if not wanted[name])}
        chains = [
            chain
            for number, chain in enumerate(script.chains)
            # The very first request says whether the key is good.
            if not number
            or (chain.group not in left_out and (wanted["other"] or not _needs_other(chain)))
        ]
        if not near:
            whose = f"the {'sandbox ' if sandbox else ''}key " + (
                f"of the profile {profile}" if profile else "of the environment"
            )
            click.echo(
                notice(script, chains, backend.base_url, whose, is_paid=not sandbox), err=True
            )
            _confirm(yes=wanted["yes"])
        target = Side(
            backend.client,
            script,
            credentials={name: getattr(backend, attr) for name, attr in script.credentials.items()},
            base_url=backend.base_url.rstrip("/"),
            pictures=pictures,
            only_mock=near,
        )
        ref = f"facematch-drift-{secrets.token_hex(4)}"
        player = Player(
            script,
            target,
            ref=ref,
            is_paid=not sandbox,
            sleep=time.sleep,
            progress=_progress(sum(len(chain.steps) for chain in chains)),
        )
        run = player.play(chains)
    return Report(
        script=script,
        edition=edition,
        environment="mock" if target.is_mock else "sandbox" if sandbox else "production",
        day=dt.datetime.now(dt.UTC).date(),
        run=run,
        verdict=judge(script, run.played, edition=edition, ref=ref, sandbox=sandbox),
    )


def notice(
    script: Script, chains: Sequence[Chain], where: str, whose: str, *, is_paid: bool
) -> str:
    """What will be sent, and what it costs at most.

    Args:
        script, chains: What is asked, and which chains of it.
        where: The address.
        whose: The key, in words.
        is_paid: Whether calls cost anything.
    """
    from .run import list_price

    paid = [step.pays for chain in chains for step in chain.steps if step.pays and is_paid]
    price = sum((list_price(script, one) for one in paid), Decimal(0))
    groups = list(dict.fromkeys(chain.group for chain in chains))
    lines = [
        f"This calls {script.title} at {where}, with {whose}, and sends the pictures to it:",
        *(f"  - {script.groups[name]}" for name in groups),
        f"You pay for at most {len(paid)} calls: {script.currency} {price} at list prices.",
        "Your contract decides what they really cost.",
    ]
    if not script.leaves_records.isdisjoint(groups):
        lines.append(
            "Some calls are kept, so that their records can be read, and then deleted: your "
            "webhooks receive them, and until then the faces are in your account's index."
        )
    return "\n".join([*lines, "No paid call is sent twice."])


def _confirm(*, yes: bool) -> None:
    if yes:
        return
    if not _is_terminal(sys.stdin):
        raise click.UsageError(
            "This asks before it starts, but there is no terminal: add --yes. Nothing was sent."
        )
    if not click.confirm("Start?", err=True):
        raise click.Abort


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()


def _progress(steps: int) -> Callable[[int, str], None]:
    """What shows the next request on a terminal, and nothing elsewhere."""
    if not _is_terminal(sys.stderr):
        return lambda _number, _name: None

    def show(number: int, name: str) -> None:
        end = "\n" if number + 1 == steps else ""
        click.echo(f"\r\x1b[K{number + 1} of {steps}: {name}{end}", err=True, nl=False)

    return show
