"""From the options of the command line to a report: opens, asks first, plays, judges."""

from __future__ import annotations

import datetime as dt
import secrets
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import urlsplit

import attrs
import click

from facematch_core import Environment, Secret
from facematch_core.config import plan
from facematch_core.http import is_loopback
from facematch_mock_server._keys import LIVE_KEY, SANDBOX_KEY
from facematch_mock_server.vendors import vendor_named

from ._live import LiveTarget
from ._model import Model
from ._pictures import pictures_of
from ._playing import Player
from ._reporting import Report, price_of, report_of
from ._script import Chain, Script
from ._telling import notice


@attrs.frozen(kw_only=True)
class Wanted:
    """The options, as they were given.

    Attributes:
        live: Whether the real vendor may be asked.
        probe, reference, other: Files of pictures.
        profile, config, base_url: Whom to ask.
        sandbox: Whether the key is one of a sandbox.
        edition: Of the documents; None for the newest.
        search: Whether faces are searched.
        skip: Groups that are left out.
        yes: Whether nobody is asked.
    """

    live: bool
    probe: Path
    reference: Path
    other: Path | None
    profile: str | None
    config: str | None
    base_url: str | None
    sandbox: bool
    edition: str | None
    search: bool
    skip: tuple[str, ...]
    yes: bool


def ask(script: Script, **options: Any) -> Report:
    """The report; the options are those of `Wanted`.

    Raises:
        click.UsageError, click.Abort: as the command line tells them.
        FaceMatchError: the key, a picture or the configuration cannot be used.
    """
    wanted = Wanted(**options)
    edition = _edition(script, wanted.edition)
    with plan(**_opening(script, wanted), here=True).open() as verifier:
        backend: Any = getattr(verifier, "backend", None)
        if getattr(backend, "name", None) != script.vendor:
            raise click.UsageError(
                f"The profile {wanted.profile} is not one of the backend {script.vendor} alone."
            )
        near = is_loopback(urlsplit(backend.base_url).hostname or "")
        if backend.environment is Environment.MOCK and not near:
            raise click.UsageError(
                f"The profile {wanted.profile} is for a mock alone, and {backend.base_url} is none."
            )
        if not (wanted.live or near):
            raise click.UsageError(
                f"This asks the real {script.title}, and calls are paid: say --live if you want "
                "that, or name a mock on this machine with --base-url."
            )
        sandbox = wanted.sandbox or backend.environment is Environment.SANDBOX
        pictures = pictures_of(
            wanted.probe, wanted.reference, wanted.other, backend.capabilities.image_limits
        )
        chains = _chains(script, wanted)
        ref = f"facematch-drift-{secrets.token_hex(4)}"
        model = Model(script, edition, ref=ref, sandbox=sandbox)
        if not near:
            _confirm(script, chains, model, wanted, backend.base_url, sandbox=sandbox)
        target = LiveTarget(
            backend.client,
            script,
            key=backend.api_key,
            base_url=backend.base_url.rstrip("/"),
            pictures=pictures,
            only_mock=near,
        )
        player = Player(
            script,
            target,
            ref=ref,
            sizes=pictures.sizes,
            price=None if sandbox else model.price,
            sleep=time.sleep,
            tell=_progress(sum(len(chain.steps) for chain in chains)),
        )
        run = player.play(chains)
    return report_of(
        script,
        run,
        edition=edition,
        ref=ref,
        sandbox=sandbox,
        environment="mock" if target.is_mock else "sandbox" if sandbox else "production",
        day=dt.datetime.now(dt.UTC).date(),
    )


def _edition(script: Script, wanted: str | None) -> str:
    editions = list(vendor_named(script.vendor).editions)
    if wanted is None:
        return editions[-1]
    if wanted not in editions:
        raise click.UsageError(
            f"There is no edition {wanted[:40]!r}; there are {', '.join(editions)}."
        )
    return wanted


def _opening(script: Script, wanted: Wanted) -> dict[str, Any]:
    """The arguments of `plan`."""
    settings: dict[str, Any] = {}
    if wanted.base_url is not None:
        settings["base_url"] = wanted.base_url
    if wanted.profile is not None:
        return {"profile": wanted.profile, "config": wanted.config, "settings": settings}
    if wanted.config is not None:
        raise click.UsageError("--config goes with --profile.")
    if wanted.base_url is not None and is_loopback(urlsplit(wanted.base_url).hostname or ""):
        # A mock gets the key that every mock knows, never the one in the environment.
        settings["api_key"] = Secret(SANDBOX_KEY if wanted.sandbox else LIVE_KEY)
    return {"backend": script.vendor, "settings": settings}


def _chains(script: Script, wanted: Wanted) -> list[Chain]:
    left_out = {*wanted.skip}
    if wanted.other is None:
        left_out.add("other")
    if not wanted.search:
        left_out.add("search")
    # The first chain begins with the request that says whether the key is good.
    return [
        chain
        for number, chain in enumerate(script.chains)
        if chain.group not in left_out or not number
    ]


def _confirm(
    script: Script,
    chains: list[Chain],
    model: Model,
    wanted: Wanted,
    where: str,
    *,
    sandbox: bool,
) -> None:
    calls, price = price_of(script, model, (chain.name for chain in chains))
    groups = list(dict.fromkeys(chain.group for chain in chains))
    kind = "sandbox key" if sandbox else "key"
    of = f"of the profile {wanted.profile}" if wanted.profile else "of the environment"
    words = notice(
        script,
        groups,
        calls=0 if sandbox else calls,
        price=Decimal(0) if sandbox else price,
        where=where,
        whose=f"the {kind} {of}",
        keeps="kept" in groups or "search" in groups,
    )
    click.echo(words, err=True)
    if wanted.yes:
        return
    if not _is_terminal(sys.stdin):
        raise click.UsageError(
            "This asks first, and there is no terminal to ask on: --yes says yes. Nothing was sent."
        )
    if not click.confirm("Ask?", err=True):
        raise click.Abort


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()


def _progress(steps: int) -> Callable[[int, str], None]:
    """What shows the next request on a terminal, and nothing elsewhere."""
    if not _is_terminal(sys.stderr):
        return lambda _number, _name: None

    def tell(number: int, name: str) -> None:
        end = "\n" if number + 1 == steps else ""
        click.echo(f"\r\x1b[K{number + 1} of {steps}: {name}{end}", err=True, nl=False)

    return tell
