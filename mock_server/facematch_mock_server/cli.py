"""`facematch mock`: the server for people and for other languages, and one claim explained."""

from __future__ import annotations

import contextlib
import gc
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

import click

from facematch_core.errors import ConfigurationError
from facematch_mock_server.messages import is_loopback

if TYPE_CHECKING:
    from facematch_mock_server.server import MockServer
    from facematch_mock_server.vendors.base import Vendor

#: What a person needs at once. The first line is the address alone, for programs that start us.
STARTED = """{url}
console: {console}
{vendors}
control: {control}
stop with Ctrl-C"""
VENDOR = """{keys}
edition {edition}, scores by {engine}; every answer says that it comes from a mock
{unknown}
  facematch cards sheet --out cards
  {curl}
"""


#: Whoever tries two photographs of one person should not wonder.
UNKNOWN = (
    "pictures that are not test cards are scored by their bytes; --engine local compares faces\n"
)


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
    help="Vendor to imitate; didit by default; repeatable. An unknown name lists the known ones.",
)
@click.option(
    "--edition",
    "editions",
    multiple=True,
    metavar="EDITION",
    shell_complete=_editions,
    help="Edition of the vendor's documents: 2026-03, 2026-07 (default) or 2026-11 for Didit; with "
    "several vendors VENDOR=EDITION.",
)
@click.option(
    "--switch",
    "switches",
    multiple=True,
    metavar="NAME=VALUE",
    help="Change one behaviour of the edition, such as boundary=inclusive or "
    "deepvue.bad_token=401; repeatable.",
)
@click.option(
    "--latency",
    "latencies",
    multiple=True,
    metavar="CALL=SECONDS",
    help="Delay answers, such as match=1.5 or match=0.8-2.5 seconds; repeatable.",
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
    type=click.Choice(["cards", "local"]),
    default="cards",
    metavar="ENGINE",
    help="What decides a score: cards (test cards, other pictures by their bytes; default) or "
    "local (the real local engine).",
)
@click.option("--key", "keys", multiple=True, metavar="KEY", help="One more live key; repeatable.")
@click.option(
    "--no-control", is_flag=True, help="Serve the vendors alone, without control API and console."
)
@click.option(
    "--control-token",
    metavar="TEXT",
    help="Token that control requests must carry in X-Mock-Token; needed beyond this machine.",
)
@click.option(
    "--seed", type=int, metavar="NUMBER", help="Make ids and random outcomes the same in every run."
)
@click.option(
    "--deliver-to",
    "deliver_to",
    multiple=True,
    metavar="HOST",
    help="Also send webhooks to this host, not only to this machine; repeatable.",
)
@click.option("--open", "open_console", is_flag=True, help="Open the console in a browser.")
@click.option(
    "--show-pictures",
    is_flag=True,
    help="Show the pictures of each call in the console; they stay in memory.",
)
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> None:
    """Serve mock vendors until Ctrl-C, all on one port.

    Each answers as its vendor's documents say, with credit and rate limits, and costs nothing.
    """
    if ctx.invoked_subcommand is None:
        serve(**given)


def serve(
    *,
    vendors: tuple[str, ...],
    editions: tuple[str, ...],
    switches: tuple[str, ...],
    latencies: tuple[str, ...],
    port: int,
    host: str,
    engine: Literal["cards", "local"],
    keys: tuple[str, ...],
    no_control: bool,
    control_token: str | None,
    seed: int | None,
    deliver_to: tuple[str, ...],
    open_console: bool,
    show_pictures: bool,
) -> None:
    """Start, print where, and wait."""
    try:
        with _without_collections():
            from facematch_mock_server.clock import VirtualClock
            from facematch_mock_server.server import MockServer
            from facematch_mock_server.vendors import vendor_named

    except ModuleNotFoundError as missing:
        raise ConfigurationError(
            f'The mock server needs {missing.name}: pip install "facematch-core[mock]".'
        ) from None
    if not is_loopback(host) and not (no_control or control_token):
        raise click.UsageError(
            f"--host {host} lets other machines in: add --no-control, or --control-token TEXT to "
            "guard what a test may do."
        )
    if no_control and (open_console or show_pictures):
        raise click.UsageError("--no-control leaves the console out, and with it these options.")
    try:
        kinds = [vendor_named(vendor) for vendor in vendors]
        server = MockServer(
            vendor=vendors,
            edition=read_editions(kinds, editions),
            switches=read_all_switches(kinds, switches),
            latency={n: _span(t) for n, t in _pairs("latency", latencies).items()},
            engine=engine,
            host=host,
            port=port,
            clock=VirtualClock(running=True),
            seed=seed,
            control=not no_control,
            control_token=control_token,
            deliver_to=deliver_to,
            show_pictures=show_pictures,
        )
        for key in keys:
            for vendor in vendors:
                server.of(vendor).control.add_key(key=key)
    except ValueError as error:
        raise click.UsageError(_sentence(str(error))) from None
    # Ctrl-C stays an exception, and ends this command as it ends every other.
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    with server:
        click.echo(
            STARTED.format(
                url=server.url,
                console="none" if no_control else f"{server.url}/",
                vendors="\n".join(_greetings(server, switches, engine)),
                control="none" if no_control else server.control_url,
            )
        )
        if not is_loopback(host):
            click.echo(f"note: {host} is open to other machines; so are the keys above", err=True)
        if open_console:
            import webbrowser  # not above: 3 ms of a start

            # Behind a number sign the token stays in the browser: no server is sent it.
            token = f"#token={quote(control_token)}" if control_token else ""
            webbrowser.open(f"{server.url}/{token}")
        wait_for(stopped)


def wait_for(stopped: threading.Event) -> None:
    """Wait until SIGTERM sets it, or Ctrl-C."""
    # On Windows a wait without an end lets no Ctrl-C through.
    while not stopped.wait(0.5 if sys.platform == "win32" else None):
        pass


def _greetings(server: MockServer, switches: tuple[str, ...], engine: str) -> Iterator[str]:
    """What is said of each vendor; its name only where there are several."""
    from facematch_mock_server.vendors import owner_of, vendor_named  # not above: as in `serve`

    worlds = server.accounts.main.worlds
    kinds = [vendor_named(world.vendor) for world in worlds]
    for world, kind in zip(worlds, kinds, strict=True):
        mine = [
            word for word in switches if owner_of(kinds, word.partition("=")[0])[0] == world.vendor
        ]
        keys, curl = (line.format(url=server.url) for line in kind.greeting)
        text = VENDOR.format(
            keys=keys,
            curl=curl,
            edition=", ".join((world.edition, *mine)),
            engine=engine,
            unknown=UNKNOWN if engine == "cards" else "",
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


@command.command("explain", short_help="Explain one claim, and how we know it.")
@click.argument("claim", required=False)
def explain_command(claim: str | None) -> None:
    """Explain one claim, and how we know it; without a name, list all claims."""
    from facematch_mock_server.vendors import all_claims, explain

    if claim is None:
        for known in all_claims():
            click.echo(known.id)
        return
    try:
        click.echo(explain(claim))
    except LookupError as error:
        raise click.UsageError(str(error.args[0])) from None


def _pairs(option: str, typed: Iterable[str]) -> dict[str, str]:
    """What was typed as NAME=VALUE for an option, by name."""
    read: dict[str, str] = {}
    for word in typed:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise ValueError(f"--{option} must be NAME=VALUE, not {word!r:.60}")
        if name in read:
            raise ValueError(f"--{option} {name:.60} is given twice")
        read[name] = value
    return read


def _span(typed: str) -> float | tuple[float, float]:
    """Seconds, or the least and the most with a hyphen between."""
    least, hyphen, most = typed.partition("-")
    try:
        return (float(least), float(most)) if hyphen else float(least)
    except ValueError:
        raise ValueError(
            f"--latency takes seconds, or the least and the most as in 0.8-2.5, not {typed!r:.60}"
        ) from None


def read_editions(kinds: Sequence[Vendor], words: Iterable[str]) -> dict[str, str]:
    """Read words like ``2026-07`` and ``deepvue=2026-11``: editions by vendor.

    Raises:
        ValueError: two for one vendor. Whether there are such is not asked here.
    """
    read: dict[str, str] = {}
    for word in words:
        vendor, equals, edition = word.partition("=")
        if not equals:
            has = (kind.name for kind in kinds if word in kind.editions)
            vendor, edition = next(has, kinds[0].name), word
        if vendor in read:
            raise ValueError(f"two editions are given for {vendor:.60}")
        read[vendor] = edition
    return read


def read_all_switches(kinds: Sequence[Vendor], words: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Read words like ``boundary=inclusive`` and ``deepvue.bad_token=401``: values by vendor.

    Args:
        kinds: The vendors. A name without a vendor's is for the first one that has it.
        words: As for `read_switches`.

    Raises:
        ValueError: as of `read_switches`, or a vendor that is not among them.
    """
    from facematch_mock_server.vendors import owner_of  # not above: as in `serve`

    typed: dict[str, list[str]] = {kind.name: [] for kind in kinds}
    for word in words:
        name, equals, value = word.partition("=")
        vendor, bare = owner_of(kinds, name)
        if vendor not in typed:
            raise ValueError(f"there is no vendor {vendor:.60}; there is {', '.join(typed)}")
        typed[vendor].append(bare + equals + value)
    return {kind.name: read_switches(kind, typed[kind.name]) for kind in kinds}


def read_switches(kind: Vendor, words: Iterable[str]) -> dict[str, Any]:
    """Read words like ``boundary=inclusive``.

    Args:
        kind: The vendor whose switches they are.
        words: As typed. A number may be ``none`` where there may be no limit.

    Returns:
        The values by name, as `Vendor.choose` takes them.

    Raises:
        ValueError: a word without ``=``, a name that is unknown or there twice, or a value that
            does not fit.
    """
    typed = _pairs("switch", words)
    return {name: _value(kind, name, value) for name, value in typed.items()}


def _value(kind: Vendor, name: str, typed: str) -> Any:
    if name in kind.switches:
        words = {_word(value): value for value in kind.switches[name]}
        for word, value in words.items():
            if word.lower() == typed.lower():
                return value
        raise ValueError(f"the switch {name} takes {' or '.join(words)}, not {typed!r:.60}")
    if name not in kind.settings:
        from difflib import get_close_matches  # not above: a mistake is rare

        known = (*kind.switches, *kind.settings)
        close = get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
        raise ValueError(f"there is no switch {name:.60}; {hint}")
    from facematch_mock_server.account import NUMBERS  # not above: as in `serve`

    _, number = kind.settings[name]
    try:
        return NUMBERS[number](_READERS[number](typed))
    except ValueError:
        raise ValueError(f"the switch {name} takes {_TAKES[number]}, not {typed!r:.60}") from None


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _limit(typed: str) -> int | None:
    return None if typed == "none" else int(typed)


#: By kind of number: how it is typed, and what is said of it.
_READERS: Mapping[str, Callable[[str], Any]] = {
    "count": int,
    "seconds": int,
    "limit": _limit,
    "amount": str,
    "score": float,
}
_TAKES = {
    "count": "a whole number from 1",
    "seconds": "a whole number from 1",
    "limit": "a whole number from 0, or none",
    "score": "a number from 0 to 100",
    "amount": "an amount from 0 on with at most four places",
}
