"""`facematch mock`: start the server from the command line."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import secrets
import shlex
import signal
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from facematch_core.base.addresses import is_loopback
from facematch_core.base.extras import install_command
from facematch_core.base.files import read_text
from facematch_core.errors import ConfigurationError, InvalidRequest
from facematch_mock_server.base.messages import TOKEN_HEADER

if TYPE_CHECKING:
    from facematch_mock_server.door import Door
    from facematch_mock_server.recognition.recognizer import EngineName
    from facematch_mock_server.replies.recorder import Recorder
    from facematch_mock_server.server import MockServer
    from facematch_mock_server.vendors.base import Vendor

#: Environment variable with the token of the control API.
CONTROL_VARIABLE = "FACEMATCH_MOCK_CONTROL_TOKEN"

#: The output at the start. The first line is the URL alone, for programs that start the mock.
STARTED = """{url}
console: {console}
{vendors}
control: {control}{end}"""
#: The end of that output, unless the server ends with a program.
STOP = "\nstop with Ctrl-C"
#: The command that downloads the cards, for a vendor whose calls send pictures.
DOWNLOAD_CARDS = (
    'mkdir -p cards && cd cards && curl -sO "{url}/__mock__/cards/{{p1,p1-again}}.png" && cd ..'
)
#: An explanation of scores for pictures that are not test cards.
HINT_AT_BYTE_SCORES = (
    "pictures that are not test cards are scored by their bytes; --engine local compares faces"
)

#: The titles of the help by the first of their options, as `command` declares them, after "Serve".
TITLES = {
    "--engine": "People and pictures",
    "--door": "Door",
    "--record": "Record",
    "--control-token-file": "Safety",
    "--help": "Serve",
}


class TitledOptions(click.Command):
    """A command whose help lists the options under `TITLES`."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each option under its title, which holds until an option begins the next."""
        title = "Serve"
        sections = defaultdict(list)
        for parameter in self.get_params(ctx):
            title = TITLES.get(parameter.opts[-1], title)
            record = parameter.get_help_record(ctx)
            if record and isinstance(parameter, click.Option):
                sections[title].append(record)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)


# fmt: off
#: The options of a door for other containers, which `facematch drill` has, too.
DOOR_PORT = functools.partial(click.option, "--door-port", type=click.IntRange(0, 65535),
    metavar="PORT", help="Port of the door on --host, such as 443 "
    "for containers that have the vendors' names. If other machines reach it, nothing passes on.")
CA_FOLDER = click.option("--ca-folder", metavar="FOLDER",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the certificate that these containers trust: ca.pem, and Java's ca.p12.")


@click.command("mock", cls=TitledOptions,
    context_settings={"auto_envvar_prefix": "FACEMATCH_MOCK"})
@click.option("--vendor", metavar="NAME", multiple=True, is_eager=True,
    show_default="didit; with --door, all vendors with hosts of their own",
    help="Vendor to imitate. May be repeated. Give an unknown name to list all.")
@click.option("--switch", multiple=True, metavar="NAME=VALUE",
    help="Change one behaviour, such as in_review=true or deepvue.price_match=0.05. "
    "May be repeated.")
@click.option("--latency", multiple=True, metavar="CALL=SECONDS",
    help="Delay responses by seconds, such as match=1.5, or match=0.4..2 (uniform). "
    "May be repeated.")
@click.option("--port", type=click.IntRange(0, 65535), metavar="PORT", default=0,
    show_default="any free port", help="Port to listen on.")
@click.option("--host", metavar="ADDRESS", default="127.0.0.1",
    show_default="this machine only", help="Address to listen on.")
@click.option("--key", multiple=True, metavar="KEY", help="Additional live key. May be repeated.")
@click.option("--seed", type=int, metavar="NUMBER",
    help="Generate the same ids in every run.")
@click.option("--replies", multiple=True, metavar="PATH", type=click.Path(path_type=Path),
    help="File or folder with own replies in WireMock's format, for calls that the mock does not "
    "imitate. May be repeated.")
@click.option("--engine", type=click.Choice(["cards", "local"]), default="cards", metavar="ENGINE",
    show_default=True, help="Source of scores: cards (test cards; other pictures by their "
    "bytes) or local (the real local engine).")
@click.option("--picture", multiple=True, metavar="LINK=FILE",
    help="Picture at a URL or BUCKET/KEY that clients name instead of sending it: a file, or a "
    "card such as p1. A LINK that ends with / stands for all that begin with it. May be repeated.")
@click.option("--show-pictures", is_flag=True,
    help="Show the pictures of each call in the console; they stay in memory.")
@click.option("--person-page", is_flag=True,
    help="Let anyone with a hosted session's URL play the person, also on other machines.")
@click.option("--door", is_flag=True,
    help="Open a proxy for programs that call the vendors' own hosts, and print the variables "
    "to set, or set them for COMMAND.")
@DOOR_PORT(show_default="any free port of this machine")
@CA_FOLDER
@click.option("--door-host", multiple=True, metavar="HOST[=VENDOR]",
    help="Host of your own server with a vendor's API, for --door. May be repeated.")
@click.option("--allow-host", multiple=True, metavar="HOST",
    help="Host that the program may reach past the door, such as db.example.com. Names without a "
    "dot, private addresses, *.local and *.internal pass without it. May be repeated.")
@click.option("--links", type=click.Choice(["vendor", "loopback"]), default="vendor",
    metavar="PLACE", show_default=True, help="Where links to hosted sessions lead through the "
    "door: to the vendor's host (vendor) or to this server (loopback), where a browser needs no "
    "proxy.")
@click.option("--any-key", is_flag=True,
    help="Accept every key through the door; signatures are then not checked.")
@click.option("--record", type=click.Path(path_type=Path), metavar="FILE",
    allow_from_autoenv=False,
    help="Send the program's calls to the real vendor, which may charge them, and write its "
    "replies to a new FILE, without private values. Needs --vendor and --max-calls.")
@click.option("--max-calls", type=click.IntRange(min=0), metavar="N", default=0,
    allow_from_autoenv=False, show_default=False,
    help="How many calls --record sends; any further one gets a 503.")
@click.option("--hide", multiple=True, metavar="NAME", allow_from_autoenv=False,
    help="Hide the name of a key or a step of a path from --record. May be repeated.")
@click.option("--keep", multiple=True, metavar="NAME", allow_from_autoenv=False,
    help="Keep the name of a key or a step, and the values of fields with it. May be repeated.")
@click.option("--upstream", metavar="URL", allow_from_autoenv=False,
    help="Server that gets the recorded calls in place of the vendor's hosts.")
@click.option("--control-token-file", type=click.Path(path_type=Path), metavar="FILE",
    help="File with the token that control requests must have in X-Mock-Token; or set "
    f"{CONTROL_VARIABLE}. By default, a token is generated and printed if other machines can reach "
    "the server.")
@click.option("--deliver-to", multiple=True, metavar="HOST",
    help="Host other than this machine that may receive webhooks. May be repeated.")
@click.argument("program", metavar="[-- COMMAND]...", nargs=-1, type=click.UNPROCESSED)
def command(**given: Any) -> int:
    """Serve mock vendors on one port until Ctrl-C, or with --door until COMMAND ends.

    Each mock behaves as its vendor documents, with credit and rate limits, but costs nothing.

    Every option can be set by an environment variable: FACEMATCH_MOCK_PORT sets --port, and
    FACEMATCH_MOCK_DOOR=1 sets --door. Separate several values by spaces. Only --record and the
    options that go with it cannot, because a recording may cost money.

    The exit code is COMMAND's; 128 plus the number of a signal that ended it, 127 if it does not
    exist.
    """
    try:
        from facematch_mock_server.vendors import UNKNOWN
    except ModuleNotFoundError as missing:
        raise ConfigurationError(
            f"The mock server needs {missing.name}: {install_command('mock')}"
        ) from None
    options = Options(**given)
    options.check_door()
    hosts = _with_unknown_vendors(
        options.door_host, may_be_unknown=bool(options.record or options.replies))
    if not options.vendor and any(name.endswith(f"={UNKNOWN}") for name in hosts):
        options = attrs.evolve(options, vendor=(UNKNOWN,))
    options.check_record()
    made_token = None
    try:
        token = options.read_token()
        if token is None and not is_loopback(options.host):
            token = made_token = secrets.token_urlsafe(24)
        server = options.make_server(read_pairs("door-host", hosts), token)
    except ValueError as error:
        raise click.UsageError(as_sentence(error)) from None
    server.accounts.report = functools.partial(click.echo, err=True)
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    server.app.is_ready = not options.door
    with naming_the_port(options.port, "--port"):
        server.start()
    with server:
        if options.record is not None:
            return _record(server, options.record, options, ended)
        return _serve(server, options, made_token, ended)
# fmt: on


@attrs.frozen(kw_only=True)
class Options:
    """The options as given on the command line, and the program behind the door."""

    vendor: tuple[str, ...]
    switch: tuple[str, ...]
    latency: tuple[str, ...]
    host: str
    port: int
    key: tuple[str, ...]
    seed: int | None
    engine: EngineName
    control_token_file: Path | None
    show_pictures: bool
    person_page: bool
    picture: tuple[str, ...]
    replies: tuple[Path, ...]
    deliver_to: tuple[str, ...]
    door: bool
    door_port: int | None
    ca_folder: Path | None
    door_host: tuple[str, ...]
    allow_host: tuple[str, ...]
    links: str
    any_key: bool
    record: Path | None
    max_calls: int
    upstream: str | None
    keep: tuple[str, ...]
    hide: tuple[str, ...]
    program: tuple[str, ...]

    def read_token(self) -> str | None:
        """Return the token of the control API that was given, or None."""
        token = os.environ.get(CONTROL_VARIABLE) or None
        if self.control_token_file is None:
            return token
        if token is not None:
            raise click.UsageError(f"Give {CONTROL_VARIABLE} or --control-token-file, not both.")
        return read_text(self.control_token_file, "token file", InvalidRequest).strip()

    def make_server(self, hosts: Mapping[str, str], token: str | None) -> MockServer:
        """Return the server, not started yet, with the hosts that vendors have in addition."""
        from facematch_mock_server.server import MockServer  # as in `command`

        server = MockServer(
            vendor=self.vendor or _default_vendors(self.door, hosts),
            engine=self.engine,
            host=self.host,
            port=self.port,
            seed=self.seed,
            control_token=token,
            switches=read_pairs("switch", self.switch),
            latency=read_pairs("latency", self.latency),
            deliver_to=self.deliver_to,
            hosts=hosts,
            person_page=self.person_page or None,
            show_pictures=self.show_pictures,
            pictures=read_pairs("picture", self.picture, split=str.rpartition),
            replies=self.replies,
        )
        for text in self.key:
            for name in server.accounts.vendors:
                server.of(name).control.add_key(key=text)
        return server

    def check_door(self) -> None:
        """Refuse options that need the door without it, and the door without its packages."""
        need_the_door = {
            "--door-port": self.door_port is not None,
            "--ca-folder": self.ca_folder,
            "--door-host": self.door_host,
            "--allow-host": self.allow_host,
            "--links loopback": self.links == "loopback",
            "--any-key": self.any_key,
            "COMMAND": self.program,
        }
        for name, value in need_the_door.items():
            if value and not self.door:
                raise click.UsageError(f"{name} needs --door.")
        if self.program and self.is_elsewhere:
            raise click.UsageError(
                "COMMAND reaches a door at 127.0.0.1 alone: leave out --door-port or --host."
            )
        if self.door:
            require_door()

    def check_record(self) -> None:
        """Refuse options of a recording without it, and those that do not fit together."""
        if self.record is None:
            for name in ("max_calls", "upstream", "keep", "hide"):
                if getattr(self, name):
                    raise click.UsageError(f"--{name.replace('_', '-')} needs --record.")
            return
        if not self.vendor:
            raise click.UsageError(
                "--record needs --vendor, or --door-host HOST of another vendor: only they are "
                "called, and may charge."
            )
        if not self.max_calls:
            raise click.UsageError(
                "--record needs --max-calls: as many calls go to the real vendor, which may charge "
                "each."
            )
        if self.any_key:
            raise click.UsageError("--record sends the program's own key: leave out --any-key.")
        if not is_loopback(self.host):
            raise click.UsageError(
                "--record is for programs on this machine: leave out --host, so that no other "
                "machine can make calls."
            )
        if not self.door and (self.upstream is None or len(self.vendor) > 1):
            raise click.UsageError(
                "--record needs --door; or, for a server of your own, one --vendor and --upstream "
                "with its URL."
            )
        if "FACEMATCH_DOOR_PORT" in os.environ:
            raise click.UsageError(
                "This shell has the variables of a door, which leads to a mock. Record in another "
                "shell."
            )

    @property
    def is_elsewhere(self) -> bool:
        """Whether the door is where its variables do not lead: they name 127.0.0.1."""
        return self.door_port is not None and self.host != "127.0.0.1"

    def make_door(self, server: MockServer, recorder: Recorder | None) -> Door:
        """Return a door to the server, not open yet."""
        from .door import Door  # as in `command`

        try:
            return Door(
                server,
                any_key=self.any_key,
                loopback_links=self.links == "loopback",
                recorder=recorder,
                allowed_hosts=self.allow_host,
                host="127.0.0.1" if self.door_port is None else self.host,
                port=self.door_port or 0,
                ca_folder=self.ca_folder,
                # Printed when it happens.
                report=functools.partial(click.echo, err=True),
            )
        except ValueError as error:
            raise click.UsageError(str(error)) from None


def require_door() -> None:
    """Raise `ConfigurationError` without the packages of the door."""
    try:
        import_module("facematch_mock_server.door")
    except ModuleNotFoundError as missing:
        raise ConfigurationError(
            f"The door needs {missing.name}: {install_command('door')}"
        ) from None


@contextlib.contextmanager
def naming_the_port(port: int | None, option: str) -> Iterator[None]:
    """Raise `ConfigurationError` with the option in place of an error about the port."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            reason = f"Port {port} is in use"
        elif error.errno == errno.EACCES and error.filename is None:
            reason = f"Port {port} needs the rights of root"
        else:
            raise
        raise ConfigurationError(
            f"{reason}: name another one with {option}, or 0 for any free one."
        ) from None


def as_sentence(error: ValueError) -> str:
    """Return the message with a capital letter and a full stop; a question keeps its mark.

    A file's name at the beginning stays as it is.
    """
    text = str(error)
    if not text.endswith("?"):
        text = f"{text.rstrip('.')}."
    first_word, _, _ = text.partition(" ")
    return text if "." in first_word else text[:1].upper() + text[1:]


def _with_unknown_vendors(door_host: tuple[str, ...], *, may_be_unknown: bool) -> tuple[str, ...]:
    """Return the hosts, where one without a vendor is of a vendor that the mock does not know."""
    from facematch_mock_server.vendors import UNKNOWN  # as in `command`

    hosts = []
    for host in door_host:
        if "=" not in host and not may_be_unknown:
            raise click.UsageError(
                f"--door-host {host} must be NAME=VALUE; a host of an unknown vendor needs "
                "--record or --replies."
            )
        hosts.append(host if "=" in host else f"{host}={UNKNOWN}")
    return tuple(hosts)


def _default_vendors(door: bool, hosts: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names to serve if none is given; `hosts` are the additional hosts of vendors."""
    from facematch_mock_server.vendors import DEFAULT, vendors_with_hosts  # as in `command`

    if not door:
        return (DEFAULT,)
    return tuple(dict.fromkeys((DEFAULT, *vendors_with_hosts(), *hosts.values())))


def _serve(
    server: MockServer,
    options: Options,
    made_token: str | None,
    ended: threading.Event,
) -> int:
    """Print how to call the server, serve until its end, and return the exit code.

    `made_token` is the token of the control API if nobody gave one, and it needs one.
    """
    vendors = list(server.accounts.vendors.values())
    # A browser does not send a URL's fragment, so the token stays secret.
    # Do not print the user's own token, because output ends up in logs.
    console = f"{server.url}/"
    # Without a name, the path is that of the first vendor.
    control = f"{server.control_url}VENDOR/" if len(vendors) > 1 else server.control_url
    if made_token is not None:
        console += f"#token={made_token}"
        control += f"\ncontrol token: {made_token} (send it as {TOKEN_HEADER})"
    if options.door and not options.vendor:  # with a door alone, nobody named a vendor
        lines = _greet_all(vendors, options)
    else:
        lines = _greet(server, vendors, options)
    # With a door, the standard output is the program's that runs behind it or, without one, a
    # shell's, which reads the door's variables from it: so this text goes to the error output.
    click.echo(
        STARTED.format(
            url=server.url,
            console=console,
            vendors="\n".join([*lines, *_count_replies(server)]),
            control=control,
            end="" if options.program else STOP,
        ),
        err=options.door,
    )
    if not is_loopback(options.host):
        click.echo(
            f"note: other machines can reach {options.host}; keys above are public", err=True
        )
    if options.door:
        return _proxy(server, options, ended)
    wait_for_sigterm(ended)
    return 0


def _proxy(
    server: MockServer,
    options: Options,
    ended: threading.Event,
    recorder: Recorder | None = None,
) -> int:
    """Serve behind a door until its program ends, and return its exit code.

    Without a program, print the door's variables at once, so that a shell that waits for the first
    of them has all, and serve until Ctrl-C or SIGTERM.
    """
    from .door.command import run_command
    from .door.variables import variables_for

    door = options.make_door(server, recorder)
    if options.any_key:
        click.echo("note: every key is accepted, and signatures are not checked", err=True)
    with contextlib.ExitStack() as stack:
        with naming_the_port(options.door_port, "--door-port"):
            stack.enter_context(door)
        if options.is_elsewhere:
            files = f"{server.control_url}ca.pem, and ca.p12 for Java"
            click.echo(f"door: {door.url}; its certificate: {files}", err=True)
            wait_for_sigterm(ended)
            return 0
        variables = variables_for(door, os.environ)
        if recorder is None:  # a recorder has nothing to control
            variables = {"FACEMATCH_MOCK_URL": server.url, **variables}
        if options.program:
            if recorder is None:  # a recording calls the real vendor, with the program's own keys
                for vendor in server.accounts.vendors.values():
                    own = vendor.variables
                    variables.update(own.values_for_a_program_without_keys(os.environ))
            return run_command(options.program, {**os.environ, **variables})
        lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
        click.echo("\n".join(lines))
        wait_for_sigterm(ended)
    return 0


def _record(
    server: MockServer,
    file: Path,
    options: Options,
    ended: threading.Event,
) -> int:
    """Forward calls to the real vendors until `program` or the server ends, and record them."""
    from .record_cli import end_recording, open_recorder, warn_of_calls

    vendors = tuple(server.accounts.vendors.values())
    recorder = open_recorder(
        file,
        vendors,
        upstream_url=options.upstream,
        max_calls=options.max_calls,
        keep=options.keep,
        hide=options.hide,
    )
    try:
        warn_of_calls(recorder, vendors, options.upstream)
        if options.door:
            return _proxy(server, options, ended, recorder)
        server.app.recorder = recorder
        click.echo(server.url)
        wait_for_sigterm(ended)
        return 0
    finally:
        end_recording(recorder, vendors)


def wait_for_sigterm(ended: threading.Event) -> None:
    """Wait until SIGTERM sets `ended`; Ctrl-C raises KeyboardInterrupt."""
    # Wait in short steps, because on Windows a signal does not interrupt a wait for a lock.
    while not ended.wait(0.2):
        pass


def _greet(server: MockServer, vendors: Sequence[Vendor], options: Options) -> Iterator[str]:
    """Yield the output for each vendor, under the vendor's name if there are several.

    A program makes its own calls: nobody pastes the commands before the server ends.
    """
    from facematch_mock_server.world.vendor import owners_of  # as in `command`

    for vendor in vendors:
        keys, *commands = vendor.greeting or (f"keys: {', '.join(vendor.first_keys)}",)
        if "match" in vendor.operations:
            commands.insert(0, DOWNLOAD_CARDS)
        facts = []
        for switch in options.switch:
            name, _, _ = switch.partition("=")
            if vendor.name in owners_of(vendors, name):
                facts.append(switch)
        facts.append(_scored_by(options))
        lines = [keys.format(url=server.url), ", ".join(facts)]
        if len(vendors) > 1:
            lines.insert(0, vendor.name)
        if options.engine == "cards":
            lines.append(HINT_AT_BYTE_SCORES)
        if not options.program:
            lines.append("")
            lines += [f"  {command.format(url=server.url)}" for command in commands]
            lines.append("")
        yield "\n".join(lines)


def _scored_by(options: Options) -> str:
    return f"scores by {options.engine}; every response is marked as a mock's"


def _count_replies(server: MockServer) -> Iterator[str]:
    """Yield a line with the number of replies that are not the mock's, if there are any."""
    replies = server.accounts.replies
    recorded = sum(reply.recording is not None for reply in replies)
    if replies:
        yield f"replies that are not the mock's: {len(replies) - recorded} own, {recorded} recorded"


def _greet_all(vendors: Sequence[Vendor], options: Options) -> Iterator[str]:
    """Yield the output for vendors that nobody named: one of them is called, nobody knows which."""
    names = ", ".join(vendor.name for vendor in vendors)
    yield f"{names}: the keys of each are printed when it refuses a program's key"
    yield ", ".join([*options.switch, _scored_by(options)])
    if options.engine == "cards":
        yield HINT_AT_BYTE_SCORES


def read_pairs(
    option: str,
    typed: Iterable[str],
    split: Callable[[str, str], tuple[str, str, str]] = str.partition,
) -> dict[str, str]:
    """Parse arguments such as ``in_review=true``. Raises ValueError for a malformed argument.

    `split` is `str.rpartition` if the name may contain the sign ``=``, as a URL's query does.
    """
    pairs: dict[str, str] = {}
    for switch in typed:
        name, equals, value = split(switch, "=")
        if not equals or not name:
            raise ValueError(f"--{option} must be NAME=VALUE, not {switch!r:.60}")
        if name in pairs:
            raise ValueError(f"--{option} {name:.60} is given twice")
        pairs[name] = value
    return pairs
