"""`facematch mock`: the server for people and for other languages, and one claim explained."""

from __future__ import annotations

import contextlib
import gc
import os
import re
import secrets
import signal
import socket
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from facematch_core.base.addresses import is_loopback
from facematch_core.base.extras import install_command
from facematch_core.base.files import read_text
from facematch_core.errors import ConfigurationError, InvalidRequest
from facematch_mock_server.base.messages import TOKEN_HEADER

if TYPE_CHECKING:
    from facematch_mock_server.server import MockServer
    from facematch_mock_server.vendors.base import Vendor

#: What a person needs at once. The first line is the address alone, for programs that start us.
STARTED = """{url}
console: {console}
{vendors}
control: {control}
stop with Ctrl-C"""
#: What is said of each vendor.
VENDOR = """{keys}
edition {edition}, scores by {engine}; every answer says that it comes from a mock
{unknown}
  facematch cards sheet --out cards
{commands}"""
#: Whoever tries two photographs of one person should not wonder.
UNKNOWN = (
    "pictures that are not test cards are scored by their bytes; --engine local compares faces\n"
)


def _complete_vendors(_context: click.Context, _option: click.Parameter, typed: str) -> list[str]:
    from facematch_mock_server.vendors import vendor_names

    return [name for name in vendor_names() if name.startswith(typed)]


def _complete_editions(context: click.Context, _option: click.Parameter, typed: str) -> list[str]:
    """Completes --edition: those of the vendors that are named, each with its vendor's name too."""
    from facematch_mock_server.vendors import vendor_named

    kinds = [vendor_named(name) for name in context.params.get("vendor") or ("didit",)]
    words = [edition for kind in kinds for edition in kind.editions]
    words += [f"{kind.name}={edition}" for kind in kinds for edition in kind.editions]
    return [word for word in words if word.startswith(typed)]


_PREFIX = "FACEMATCH_MOCK"
#: What Kubernetes sets in every pod for a service whose name begins with facematch-mock.
_OF_KUBERNETES = re.compile(
    rf"{_PREFIX}_(\w+_)?(SERVICE_(HOST|PORT)|PORT_\d+_(TCP|UDP|SCTP))(_\w+)?=|"
    rf"{_PREFIX}_\w+_PORT=(tcp|udp|sctp)://"
)


def _variable_of(option: click.Parameter) -> str:
    envvar = option.envvar or f"{_PREFIX}_{option.name}".upper()
    return envvar if isinstance(envvar, str) else envvar[0]


def _is_from_variable(ctx: click.Context, option: click.Parameter) -> bool:
    source = ctx.get_parameter_source(option.name or "")
    return source is click.core.ParameterSource.ENVIRONMENT


class _MockCommand(click.Group):
    """Names the variable of a wrong value that was read from one."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.BadParameter as error:
            if error.param is None or not _is_from_variable(ctx, error.param):
                raise
            variable, words = _variable_of(error.param), error.message
            if "://" in os.environ.get(variable, ""):
                words += (
                    " Kubernetes sets it for a service called facematch-mock: give that another "
                    "name, set enableServiceLinks: false, or pass --port."
                )
            raise click.BadParameter(words, ctx, error.param, variable) from None


# fmt: off
@click.group("mock", invoke_without_command=True, cls=_MockCommand,
    context_settings={"auto_envvar_prefix": _PREFIX})
@click.option("--vendor", metavar="NAME", shell_complete=_complete_vendors, multiple=True,
    default=["didit"], is_eager=True, show_default=True,
    help="Vendor to imitate. May be repeated. An unknown name lists the known ones.")
@click.option("--edition", multiple=True, metavar="EDITION", shell_complete=_complete_editions,
    show_default="2026-07",
    help="Edition of the vendor's documents: 2026-03, 2026-07 or 2026-11 for Didit; with "
    "several vendors VENDOR=EDITION. May be repeated.")
@click.option("--switch", multiple=True, metavar="NAME=VALUE",
    help="Change one behaviour of the edition, such as boundary=inclusive or "
    "deepvue.bad_token=401. May be repeated.")
@click.option("--latency", multiple=True, metavar="CALL=SECONDS",
    help="Delay answers, such as match=1.5 or match=0.8-2.5 seconds. May be repeated.")
@click.option("--port", type=click.IntRange(0, 65535), metavar="PORT", default=0,
    show_default="a free one", help="Port to listen on.")
@click.option("--host", metavar="ADDRESS", default="127.0.0.1",
    show_default="this machine only", help="Address to listen on.")
@click.option("--engine", type=click.Choice(["cards", "local"]), default="cards", metavar="ENGINE",
    show_default=True, help="What decides a score: cards (test cards; other pictures by their "
    "bytes) or local (the real local engine).")
@click.option("--key", multiple=True, metavar="KEY", help="One more live key. May be repeated.")
@click.option("--no-control", is_flag=True,
    help="Serve the vendors alone, without control API and console.")
@click.option("--control-token", metavar="TEXT",
    help="Token that control requests must carry in X-Mock-Token. Beyond this machine one is made "
    "and printed if you give none. An argument shows in the list of processes; a file does not.")
@click.option("--control-token-file", type=click.Path(path_type=Path), metavar="FILE",
    help="File that holds the token.")
@click.option("--seed", type=int, metavar="NUMBER",
    help="Make ids and random outcomes the same in every run.")
@click.option("--deliver-to", multiple=True, metavar="HOST",
    help="Also send webhooks to this host, not only to this machine. May be repeated.")
@click.option("--tls-certificate", metavar="FILE",
    help="Serve HTTPS by this certificate, a PEM file.")
@click.option("--tls-key", metavar="FILE",
    help="Its private key, a PEM file; without it, the key is in the same file.")
@click.option("--open", "open_console", is_flag=True, envvar="FACEMATCH_MOCK_OPEN",
    help="Open the console in a browser.")
@click.option("--show-pictures", is_flag=True,
    help="Show the pictures of each call in the console; they stay in memory.")
@click.option("--person-page", is_flag=True,
    help="Let whoever has a hosted session's address play the person also beyond this machine.")
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> None:
    """Serve mock vendors until Ctrl-C, all on one port.

    Each answers as its vendor's documents say, with credit and rate limits, and costs nothing.

    Every option is an environment variable, too: FACEMATCH_MOCK_PORT is --port, and
    FACEMATCH_MOCK_NO_CONTROL=1 is --no-control. Several values stand with spaces between.
    """
    if ctx.invoked_subcommand is not None:
        return
    # A variable that looks like an option and is none is refused.
    variables = [_variable_of(option) for option in ctx.command.params]
    for name, value in os.environ.items():
        is_ours = name.startswith(f"{_PREFIX}_") and bool(value)
        if is_ours and name not in variables and not _OF_KUBERNETES.match(f"{name}={value}"):
            from difflib import get_close_matches  # not above: a mistake is rare

            (near,) = get_close_matches(name, variables, n=1, cutoff=0)
            raise click.UsageError(f"No option reads {name}; the nearest is {near}.")
    try:
        serve(**options)
    except click.UsageError as error:
        options_read = (option for option in ctx.command.params if _is_from_variable(ctx, option))
        names = ", ".join(map(_variable_of, options_read))
        if not names:
            raise
        words = f"{error.message} In the environment there is {names}."
        raise click.UsageError(words) from None
# fmt: on


def serve(
    *,
    vendor: tuple[str, ...],
    edition: tuple[str, ...],
    switch: tuple[str, ...],
    latency: tuple[str, ...],
    host: str,
    key: tuple[str, ...],
    no_control: bool,
    control_token: str | None,
    control_token_file: Path | None,
    open_console: bool,
    show_pictures: bool,
    person_page: bool,
    **more: Any,
) -> None:
    """Start, print where, and wait; `more` is for the server as it is."""
    # To look through all modules for garbage again and again takes 5 ms of a start.
    gc.disable()
    try:
        from facematch_mock_server.server import MockServer
        from facematch_mock_server.vendors import vendor_named
        from facematch_mock_server.world.clock import VirtualClock

        gc.freeze()
    except ModuleNotFoundError as missing:
        raise ConfigurationError(
            f"The mock server needs {missing.name}: {install_command('mock')}"
        ) from None
    finally:
        gc.enable()
    if no_control and (open_console or show_pictures):
        raise click.UsageError("--no-control leaves the console out, and with it these options.")
    if control_token is not None and control_token_file is not None:
        raise click.UsageError("Give --control-token or --control-token-file, not both.")
    token = control_token
    is_made = not is_loopback(host) and not (token or control_token_file or no_control)
    try:
        if control_token_file is not None:
            token = read_text(control_token_file, "token file", InvalidRequest).strip()
        token = secrets.token_urlsafe(24) if is_made else token
        kinds = [vendor_named(name) for name in vendor]
        server = MockServer(
            vendor=vendor,
            edition=read_editions(kinds, edition),
            switches=read_switches(kinds, switch),
            latency={n: _read_span(text) for n, text in _read_pairs("latency", latency).items()},
            host=host,
            clock=VirtualClock(running=True),
            control=not no_control,
            control_token=token,
            show_pictures=show_pictures,
            person_page=person_page or None,
            **more,
        )
        for text in key:
            for name in vendor:
                server.of(name).control.add_key(key=text)
    except ValueError as error:
        words, end = str(error).rstrip("."), "" if str(error).endswith("?") else "."
        raise click.UsageError(f"{words[:1].upper()}{words[1:]}{end}") from None
    with _signals() as signals, server:
        # Behind a number sign the token stays in the browser: no server is sent it.
        console = f"{server.url}/" + (f"#token={quote(token)}" if token else "")
        # A token that was given is not shown: what is printed ends up in logs.
        shown = console if is_made else f"{server.url}/"
        about_token = f"\ncontrol token: {token} (send it as {TOKEN_HEADER})" if is_made else ""
        click.echo(
            STARTED.format(
                url=server.url,
                console="none" if no_control else shown,
                vendors="\n".join(_greet(server, kinds, switch, more["engine"])),
                control="none" if no_control else server.control_url + about_token,
            )
        )
        if not is_loopback(host):
            click.echo(f"note: {host} is open to other machines; so are the keys above", err=True)
        if open_console:
            import webbrowser  # not above: 3 ms of a start

            webbrowser.open(console)
        wait_for(signals)


@contextlib.contextmanager
def _signals() -> Iterator[socket.socket]:
    """A socket from which a byte can be read once SIGTERM, or Ctrl-C, has arrived.

    The system may hand a signal to any thread. The main thread, if it waited for a lock, would
    then sleep on, and on Windows no signal ends a wait for a lock.
    """
    signals, writer = socket.socketpair()
    with signals, writer:
        writer.setblocking(False)
        before = signal.set_wakeup_fd(writer.fileno())
        # Only now, so that none is lost. Ctrl-C stays an exception, as in every other command.
        signal.signal(signal.SIGTERM, lambda *_: None)
        try:
            yield signals
        finally:
            signal.set_wakeup_fd(before)


def wait_for(signals: socket.socket) -> None:
    """Wait until SIGTERM arrives, or Ctrl-C."""
    signals.recv(1)


def _greet(
    server: MockServer, kinds: Sequence[Vendor], switches: Iterable[str], engine: str
) -> Iterator[str]:
    """What is said of each vendor; its name only where there are several."""
    from facematch_mock_server.vendors import owner_of  # not above: as in `serve`

    for kind in kinds:
        owners = {word: owner_of(kinds, word.partition("=")[0])[0] for word in switches}
        mine = [word for word, owner in owners.items() if owner == kind.name]
        keys, *commands = (line.format(url=server.url) for line in kind.greeting)
        text = VENDOR.format(
            keys=keys,
            commands="".join(f"  {command}\n" for command in commands),
            edition=", ".join((server.accounts.main.chosen[kind.name].edition, *mine)),
            engine=engine,
            unknown=UNKNOWN if engine == "cards" else "",
        )
        yield f"{kind.name}\n{text}" if len(kinds) > 1 else text


@command.command("explain", short_help="Explain one claim, and how we know it.")
@click.argument("claim", required=False)
def explain_command(claim: str | None) -> None:
    """Explain one claim, and how we know it; without a name, list all claims."""
    from facematch_mock_server.vendors import all_claims, explain

    if claim is None:
        click.echo("\n".join(each.id for each in all_claims()))
        return
    try:
        click.echo(explain(claim))
    except LookupError as error:
        raise click.UsageError(str(error.args[0])) from None


def _read_pairs(option: str, typed: Iterable[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for word in typed:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise ValueError(f"--{option} must be NAME=VALUE, not {word!r:.60}")
        if name in pairs:
            raise ValueError(f"--{option} {name:.60} is given twice")
        pairs[name] = value
    return pairs


def _read_span(typed: str) -> float | tuple[float, float]:
    """Seconds, or the least and the most with a hyphen between."""
    least, hyphen, most = typed.partition("-")
    try:
        return (float(least), float(most)) if hyphen else float(least)
    except ValueError:
        raise ValueError(
            f"--latency takes seconds, or the least and the most as in 0.8-2.5, not {typed!r:.60}"
        ) from None


def read_editions(kinds: Sequence[Vendor], words: Iterable[str]) -> dict[str, str]:
    """Editions by vendor, from words like ``deepvue=2026-11``; whether they exist is not asked."""
    editions: dict[str, str] = {}
    for word in words:
        vendor, equals, edition = word.partition("=")
        if not equals:
            has = (kind.name for kind in kinds if word in kind.editions)
            vendor, edition = next(has, kinds[0].name), word
        if vendor in editions:
            raise ValueError(f"two editions are given for {vendor:.60}")
        editions[vendor] = edition
    return editions


def read_switches(kinds: Sequence[Vendor], words: Iterable[str]) -> dict[str, Any]:
    """Values by name as typed, from words like ``deepvue.bad_token=401``; else a ValueError."""
    from facematch_mock_server.vendors import owner_of  # not above: as in `serve`

    by_name, switches = {kind.name: kind for kind in kinds}, {}
    for word, value in _read_pairs("switch", words).items():
        vendor, name = owner_of(kinds, word)
        if vendor not in by_name:
            raise ValueError(f"there is no vendor {vendor:.60}; there is {', '.join(by_name)}")
        switches[word] = _read_switch(by_name[vendor], name, value)
    return switches


def _read_switch(kind: Vendor, name: str, typed: str) -> Any:
    if name in kind.switches:
        values = {
            str(value).lower() if isinstance(value, bool) else str(value): value
            for value in kind.switches[name]
        }
        # As it is, else in any case: there are "bearer" and "Bearer".
        for text in (typed, *values):
            if text in values and text.lower() == typed.lower():
                return values[text]
        raise ValueError(f"the switch {name} takes {' or '.join(values)}, not {typed!r:.60}")
    if name not in kind.settings:
        from facematch_core.backend.kinds import nearest  # not above: a mistake is rare

        hint = nearest(name, (*kind.switches, *kind.settings))
        raise ValueError(f"there is no switch {name:.60}; {hint}")
    from facematch_mock_server.world.kinds import NUMBERS  # not above: as in `serve`

    number: Any = typed
    with contextlib.suppress(ValueError):
        number = NUMBERS[kind.settings[name][1]][0](typed)
    return kind.number(name, number)
