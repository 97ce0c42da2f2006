"""`facematch mock`: the server for people and for other languages, and `explain` for one claim."""

from __future__ import annotations

import contextlib
import gc
import signal
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal

import click

from facematch_core.errors import ConfigurationError
from facematch_mock_server._hosts import is_loopback

if TYPE_CHECKING:
    from facematch_core import FaceVerifier
    from facematch_mock_server.server import MockServer

#: What a person needs at once. The first line is the address alone, for programs that start us.
STARTED = """{url}
{vendors}
control: {control}
stop with Ctrl-C"""
VENDOR = """{keys}
edition {edition}, scores by {engine}; every answer says that it comes from a mock

  {curl}
"""


def _vendors(_context: click.Context, _option: click.Parameter, typed: str) -> list[str]:
    """Completes --vendor."""
    from facematch_mock_server.vendors import vendor_names

    return [name for name in vendor_names() if name.startswith(typed)]


def _editions(context: click.Context, _option: click.Parameter, typed: str) -> list[str]:
    """Completes --edition: those of the vendors that are named, each with its vendor's name too."""
    from facematch_mock_server.vendors import vendor_named

    kinds = [vendor_named(name) for name in context.params.get("vendors") or ("didit",)]
    words = [edition for kind in kinds for edition in kind.editions]
    words += [f"{kind.name}={edition}" for kind in kinds for edition in kind.editions]
    return [word for word in words if word.startswith(typed)]


@click.group("mock", invoke_without_command=True)
@click.option(
    "--vendor",
    "vendors",
    metavar="NAME",
    shell_complete=_vendors,
    multiple=True,
    default=["didit"],
    is_eager=True,
    help="Vendor to imitate; didit by default; repeatable. An unknown name lists those there are.",
)
@click.option(
    "--edition",
    "editions",
    multiple=True,
    metavar="EDITION",
    shell_complete=_editions,
    help="Edition of the vendor's documents: 2026-03, 2026-07 (default), 2026-11 of Didit's; with "
    "several vendors VENDOR=EDITION.",
)
@click.option(
    "--switch",
    "switches",
    multiple=True,
    metavar="NAME=VALUE",
    help="One behaviour that differs from the edition, such as boundary=inclusive or "
    "deepvue.bad_token=401; repeatable.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="PORT",
    default=0,
    help="Port to listen on; a free one by default.",
)
@click.option(
    "--host",
    metavar="ADDRESS",
    default="127.0.0.1",
    help="Address to listen on; this machine only by default.",
)
@click.option(
    "--engine",
    type=click.Choice(["cards", "local", "simulated"]),
    default="cards",
    metavar="ENGINE",
    help="What decides a score: cards (test cards, else the bytes; default), local (the real local "
    "engine), simulated (made up, with known error rates).",
)
@click.option(
    "--engine-profile",
    metavar="NAME",
    help="Instead of --engine: a profile of a backend on this machine.",
)
@click.option("--key", "keys", multiple=True, metavar="KEY", help="One more live key; repeatable.")
@click.option(
    "--no-control", is_flag=True, help="Serve the vendors alone, without the control interface."
)
@click.option(
    "--control-token",
    metavar="TEXT",
    help="Token that control requests must carry; needed beyond this machine.",
)
@click.option(
    "--seed", type=int, metavar="NUMBER", help="Make ids and random outcomes the same in every run."
)
@click.option(
    "--store",
    metavar="FILE",
    help="Keep sessions, credit and keys in this file; the next mock goes on from them.",
)
@click.option(
    "--deliver-to",
    "deliver_to",
    multiple=True,
    metavar="HOST",
    help="Also send webhooks to this host, not only to this machine; repeatable.",
)
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> None:
    """Serve mock vendors until Ctrl-C, all on one port.

    Each answers as its documents say, bills and throttles, and charges nobody.
    """
    if ctx.invoked_subcommand is None:
        serve(**given)


def serve(
    *,
    vendors: tuple[str, ...],
    editions: tuple[str, ...],
    switches: tuple[str, ...],
    port: int,
    host: str,
    engine: Literal["cards", "local", "simulated"],
    engine_profile: str | None,
    keys: tuple[str, ...],
    no_control: bool,
    control_token: str | None,
    seed: int | None,
    store: str | None,
    deliver_to: tuple[str, ...],
) -> None:
    """Start, print where, and wait."""
    try:
        with _without_collections():
            from facematch_mock_server.clock import VirtualClock
            from facematch_mock_server.server import MockServer
            from facematch_mock_server.vendors import vendor_named

            from ._switches import read_all_switches, read_editions
    except ModuleNotFoundError as missing:
        raise ConfigurationError(
            f'The mock server needs {missing.name}: pip install "facematch-core[mock]".'
        ) from None
    if not is_loopback(host) and not (no_control or control_token):
        raise click.UsageError(
            f"--host {host} lets other machines in: add --no-control, or --control-token TEXT to "
            "guard what a test may do."
        )
    try:
        kinds = [vendor_named(vendor) for vendor in vendors]
        server = MockServer(
            vendor=vendors,
            edition=read_editions(kinds, editions),
            switches=read_all_switches(kinds, switches),
            engine=engine if engine_profile is None else _opener(engine_profile),
            host=host,
            port=port,
            clock=VirtualClock(running=True),
            seed=seed,
            control=not no_control,
            control_token=control_token,
            store=store,
            deliver_to=deliver_to,
        )
        for key in keys:
            for vendor in vendors:
                server.of(vendor).control.add_key(key=key)
    except ValueError as error:
        raise click.UsageError(_sentence(str(error))) from None
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with server:
        click.echo(
            STARTED.format(
                url=server.url,
                vendors="\n".join(_greetings(server, switches, engine_profile or engine)),
                control="none" if no_control else server.control_url,
            )
        )
        if not is_loopback(host):
            click.echo(f"note: {host} is open to other machines; so are the keys above", err=True)
        stopped.wait()


def _opener(profile: str) -> Callable[[], FaceVerifier]:
    """What opens a profile as an engine."""

    def opened() -> FaceVerifier:
        from facematch_core import FaceVerifier  # not above: as in `serve`
        from facematch_core.config import plan

        # As every command finds it: what the variable names, this folder's, or the user's own.
        verifier = plan(profile=profile, here=True).open()
        if isinstance(verifier, FaceVerifier):
            return verifier
        verifier.close()
        raise ConfigurationError(
            f"The profile {profile[:60]!r} is a failover, and an engine is one backend: name one "
            "of its members."
        )

    return opened


def _greetings(server: MockServer, switches: tuple[str, ...], engine: str) -> Iterator[str]:
    """What is said of each vendor; its name only where there are several."""
    from facematch_mock_server.vendors import owner_of  # not above: as in `serve`

    worlds = server.world.ground.worlds
    kinds = [world.kind for world in worlds]
    for world in worlds:
        mine = [
            word for word in switches if owner_of(kinds, word.partition("=")[0])[0] == world.vendor
        ]
        keys, curl = (line.format(url=server.url) for line in world.kind.greeting)
        text = VENDOR.format(
            keys=keys, curl=curl, edition=", ".join((world.edition, *mine)), engine=engine
        )
        yield f"{world.vendor}\n{text}" if len(worlds) > 1 else text


@contextlib.contextmanager
def _without_collections() -> Iterator[None]:
    """No garbage collection inside, and later ones leave alone what was made inside.

    What is imported stays: looking through it for garbage again and again takes 5 ms of a start.
    """
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()


def _sentence(text: str) -> str:
    end = "" if text.endswith("?") else "."
    return f"{text[:1].upper()}{text[1:].rstrip('.')}{end}"


@command.command("explain", short_help="Say what a claim is and how it is known.")
@click.argument("claim", required=False)
def explain_command(claim: str | None) -> None:
    """Say what a claim is and how it is known; without a name, list them."""
    from facematch_mock_server.vendors import all_claims, explain

    if claim is None:
        for known in all_claims():
            click.echo(known.id)
        return
    try:
        click.echo(explain(claim))
    except LookupError as error:
        raise click.UsageError(str(error.args[0])) from None
