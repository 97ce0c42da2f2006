"""`facematch drill`: play stories against a whole application."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import attrs
import click

from facematch_core.base.addresses import is_loopback
from facematch_core.base.extras import install_command
from facematch_core.base.files import read_text
from facematch_core.cli.text import Exit, say
from facematch_core.errors import ConfigurationError

if TYPE_CHECKING:
    from facematch_mock_server.drill.application import Answer, Program
    from facematch_mock_server.drill.judge import Failure
    from facematch_mock_server.drill.player import Application, Player, Step
    from facematch_mock_server.server import MockServer

#: How many lines of the application's output are shown.
_SHOWN_LINES = 20
#: How often a failure of a day is played again, to say how often it comes.
_REPLAYS = 10


@attrs.frozen(kw_only=True)
class Played:
    """A story that was played.

    Attributes:
        title: What it is about.
        steps: Its steps.
        failures: What was wrong, the gravest first.
        lines: The story as it went, if something was wrong.
    """

    title: str
    steps: Sequence[Step]
    failures: Sequence[Failure]
    lines: Sequence[str]

    @property
    def verdicts(self) -> str:
        """The verdicts, in capital letters."""
        return ", ".join(failure.verdict.upper() for failure in self.failures)

    @property
    def play_option(self) -> str:
        """The option that plays it again."""
        return f"--play '{','.join(step for _, step in self.steps)}'"


# fmt: off
@click.command("drill")
@click.option("--vendor", metavar="NAME", required=True,
    help="Vendor with sessions whose mock the application calls. Give an unknown name to list all.")
@click.option("--begin", metavar="URL|COMMAND",
    help="Starts a verification of {customer}: 'POST http://...', a URL, or a command.")
@click.option("--state", metavar="URL|COMMAND",
    help="Answers what the application believes of {customer}: a word, or JSON with `state` or "
    "`status`.")
@click.option("--webhook", metavar="URL", help="The application's receiver of webhooks.")
@click.option("--job", metavar="URL|COMMAND",
    help="Runs the application's own periodic job, such as one that asks the vendor.")
@click.option("--map", "words", metavar="WORD=MEANING", multiple=True,
    help="What a word of the state means: approved, declined, open (it waits) or none. May be "
    "repeated.")
@click.option("--once", metavar="FIELD", multiple=True,
    help="Field of the state's JSON that counts what must happen once, such as a booking. May be "
    "repeated.")
@click.option("--secret-file", type=click.Path(path_type=Path), metavar="FILE",
    help="File with the secret that the receiver verifies with. Required without a COMMAND.")
@click.option("--document-name", metavar="NAME",
    help="Name on the document that every customer shows, if the application compares it.")
@click.option("--deliver-to", metavar="HOST",
    help="Host of the URLs, if it is not this machine: confirms that it is your own.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default="any free port",
    help="Port of the mock, for an application that has the mock's address in its settings.")
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS",
    help="Address of the mock, such as one that a container reaches.")
@click.option("--customers", type=click.IntRange(min=1), metavar="N",
    help="Play a day with so many customers after the stories.")
@click.option("--seed", type=int, default=1, show_default=True, metavar="NUMBER",
    help="Seed of the day.")
@click.option("--play", "story", metavar="STEPS", help="Play one story, such as "
    "'begin-twice,pass-first', and tell it.")
@click.option("--junit", type=click.Path(path_type=Path), metavar="FILE",
    help="Write the result as JUnit XML, one test for each story.")
@click.argument("program", metavar="[-- COMMAND]...", nargs=-1, type=click.UNPROCESSED)
def command(**options: Any) -> int:
    """Try a whole application with bad days: lost, late and forged webhooks.

    Plays stories, and says what the application believes wrongly afterwards.

    COMMAND starts the application. It runs behind a door, which answers the vendor's own host, so
    it needs no change. It gets the mock's URL and keys in DRILL_URL, DRILL_KEY and DRILL_CLIENT,
    the webhook's secret in DRILL_SECRET, and all of them in the vendor's usual variables. Without
    COMMAND, it must already run and call the mock at --port.

    The exit code is 0 if every story ends right, 1 if one does not, 3 if the application cannot be
    tried, and 4 if the mock saw no call of it: it may have called the vendor, and paid.
    """
    try:
        from facematch_mock_server.drill.application import ApplicationError
        from facematch_mock_server.server import MockServer
        from facematch_mock_server.vendors import vendor_named, vendor_names
    except ModuleNotFoundError as missing:
        raise ConfigurationError(
            f"The drill needs {missing.name}: {install_command('door')}"
        ) from None
    # Only here, because `facematch drill --help` must not wait for all vendors.
    known = [name for name in vendor_names() if vendor_named(name).drilled.approved]
    if options["vendor"] not in known:
        raise click.UsageError(f"--vendor must be one of {', '.join(known)}.")
    host = _check_options(options)
    secret = None
    if options["secret_file"] is not None:
        secret = read_text(options["secret_file"], "secret file").strip()
        if not secret:
            raise click.UsageError(f"{options['secret_file']} is empty: write the secret into it.")
    is_local = is_loopback(options["host"])
    try:
        server = MockServer(
            vendor=options["vendor"],
            host=options["host"],
            port=options["port"],
            control=is_local,
            deliver_to=[] if host is None else [host],
        )
    except ValueError as error:  # no server can have a host of this name
        raise click.UsageError(f"--deliver-to: {error}.") from None
    try:
        with _ended_by_signals(), server as mock:
            return _run(mock, options, secret)
    except ApplicationError as error:
        say(str(error))
        return Exit.LOOK
    except OSError as error:
        raise ConfigurationError(f"Port {options['port']}: {error.strerror}.") from None
# fmt: on


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let SIGTERM and a closed terminal end the application as Ctrl-C does."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    ends = [signal.SIGTERM]
    if sys.platform != "win32":
        # The application is in a session of its own, so it outlives the terminal.
        ends.append(signal.SIGHUP)
    before = {number: signal.signal(number, interrupt) for number in ends}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _check_options(options: Mapping[str, Any]) -> str | None:
    """Check the options that go together; return the host to deliver to, if it is not this one."""
    from facematch_mock_server.drill.application import url_of
    from facematch_mock_server.world.outgoing import may_send

    if not options["begin"] and not options["webhook"]:
        raise click.UsageError("Name --begin and --state, or at least --webhook.")
    if bool(options["begin"]) != bool(options["state"]):
        raise click.UsageError("--begin needs --state, and --state needs --begin.")
    if not options["program"] and options["webhook"] and options["secret_file"] is None:
        raise click.UsageError(
            "Without a COMMAND, the drill needs --secret-file with the secret of the webhook."
        )
    urls = [options["webhook"]] if options["webhook"] else []
    for name in ("begin", "state", "job"):
        url = url_of(options[name]) if options[name] else None
        if url is not None:
            urls.append(url.replace("{customer}", "x"))
    other_host = None
    for url in urls:
        host = _host_of(url)
        if not may_send(url, (host,)):
            raise click.UsageError(
                f"{url[:200]!r} cannot be requested: write it in ASCII without spaces, with a port "
                "from 1 to 65535."
            )
        if is_loopback(host):
            continue
        if host != (options["deliver_to"] or "").lower():
            raise click.UsageError(
                f"{host} is not this machine: add --deliver-to {host} if the application there is "
                "your own."
            )
        other_host = host
    return other_host


def _host_of(url: str) -> str:
    """Return a URL's host; raise `click.UsageError` if it has none."""
    try:
        address = urlsplit(url)
    except ValueError:  # such as an IPv6 address without its second bracket
        address = urlsplit("")
    if address.scheme not in ("http", "https") or not address.hostname:
        raise click.UsageError(f"The URL must begin with http:// or https://, not {url[:60]!r}.")
    return address.hostname


def _run(mock: MockServer, options: Mapping[str, Any], secret: str | None) -> int:
    """Start the application, and play with it; return the exit code."""
    from facematch_mock_server.drill.player import Application, Player

    if secret is None:
        secret = f"whsec_{mock.control.world.ids.hex()}"
        if mock.control.world.vendor.drilled.key_signs_webhooks:
            secret = mock.live_key
    with contextlib.ExitStack() as stack:
        program = None
        if options["program"]:
            program = _start_program(mock, options, secret, stack)
        else:
            client = f", client id {mock.client_id}" if mock.client_id else ""
            say(
                f"No command: the application must call the mock at {mock.url} (key "
                f"{mock.live_key}{client}), and no story kills it."
            )
        if not options["begin"]:
            return _try_receiver(mock, options, secret)
        application = Application(
            begin=options["begin"],
            state=options["state"],
            webhook=options["webhook"],
            secret=secret,
            job=options["job"],
            words=_read_words(options["words"]),
            once=options["once"],
            program=program,
            document_name=options["document_name"],
        )
        if not _is_mock_called(mock, application, options):
            return Exit.CONFIGURATION
        player = Player(mock.of(options["vendor"]), application)
        return _play(player, options)


def _try_receiver(mock: MockServer, options: Mapping[str, Any], secret: str) -> int:
    """Judge the receiver alone, and say what is left out."""
    from facematch_mock_server.drill.receiver import ReceiverTrial
    from facematch_mock_server.drill.stories import STORIES

    trial = ReceiverTrial(mock.of(options["vendor"]), options["webhook"], secret)
    trial.run()
    for each in trial.received:
        answer = "does not answer" if each.status is None else f"answers {each.status}"
        say(f"{'right' if each.is_right else 'WRONG'}  a webhook {each.title}: it {answer}")
    say(f"left out: {len(STORIES)} (they need --begin and --state)")
    if trial.writer is not None:
        say(
            f"It verifies JSON that it has written again, in the form of {trial.writer}: verify "
            "the bytes received."
        )
    elif not trial.shows_something:
        say(
            "The receiver took no webhook, so nothing is shown: check its URL and the secret, and "
            "that it verifies the bytes received."
        )
        return Exit.LOOK
    return Exit.OK if all(each.is_right for each in trial.received) else Exit.NO


def _start_program(
    mock: MockServer, options: Mapping[str, Any], secret: str, stack: contextlib.ExitStack
) -> Any:
    """Start the application behind a door, and return its process."""
    from facematch_mock_server.door import Door
    from facematch_mock_server.door.variables import variables_for
    from facematch_mock_server.drill.application import Program, url_of

    door = stack.enter_context(Door(mock, any_key=True))
    vendor = mock.control.world.vendor
    own = vendor.variables
    variables = {
        **variables_for(door, os.environ),
        **own.changes_for_keys(os.environ),
        **own.changes_for_url(mock.url),
        "DRILL_URL": mock.url,
        "DRILL_KEY": mock.live_key,
        "DRILL_CLIENT": mock.client_id or "",
        "DRILL_SECRET": secret,
    }
    webhook_variable = vendor.drilled.webhook_variable
    if webhook_variable is not None:
        variables[webhook_variable] = secret
    environment = {**os.environ, **variables}
    urls = [url_of(options[name]) for name in ("state", "begin", "webhook") if options[name]]
    program = Program(
        options["program"],
        {name: value for name, value in environment.items() if value is not None},
        [url for url in urls if url is not None],
    )
    stack.callback(program.close)
    program.start()
    return program


def _read_words(pairs: Sequence[str]) -> dict[str, Any]:
    """Return what the words of `--map` mean; raise UsageError for another form or meaning."""
    from facematch_mock_server.drill.judge import Belief

    words = {}
    for pair in pairs:
        word, _, meaning = pair.rpartition("=")
        if not word or meaning not in list(Belief):
            raise click.UsageError(f"--map must be WORD=approved, declined, open or none: {pair}.")
        words[word] = Belief(meaning)
    return words


def _is_mock_called(mock: MockServer, application: Application, options: Mapping[str, Any]) -> bool:
    """Begin once, and return whether the mock saw a call: else the vendor may have been paid."""
    from facematch_mock_server.drill.application import ANSWER_S, ApplicationError, ask

    # A new name, because the application may have kept the customer of an earlier drill.
    answer = ask(application.begin, f"drill-first-{secrets.token_hex(4)}")
    if application.program is not None:
        application.program.check_running()
    calls = mock.control.journal()
    if calls and any(call.key == "wrong" for call in calls):
        say(
            "The mock refused the application's key: give it the key in DRILL_KEY, here "
            f"{mock.live_key}."
        )
        return False
    if calls:
        _check_first_answer(answer, application.program)
        return True
    if answer.status is None:
        raise ApplicationError(f"The application did not answer --begin within {ANSWER_S:.0f} s.")
    advice = " or trust the proxy in HTTPS_PROXY" if options["program"] else ""
    say(
        f"The application answered {answer} to --begin, and the mock saw no call: it may have "
        f"called the vendor, and paid. Nothing more is sent. Let it call {mock.url}{advice}."
    )
    return False


def _check_first_answer(answer: Answer, program: Program | None) -> None:
    """Raise ApplicationError, with what the application wrote, if it did not begin at all."""
    from facematch_mock_server.drill.application import ApplicationError

    if answer.is_accepted:
        return
    if program is not None:
        _print_output(program)
    raise ApplicationError(
        f"The application answered {answer} to the first --begin, so no story can be played."
    )


def _print_output(program: Program, since: int = 0) -> None:
    """Print what the application wrote last."""
    lines = program.last_lines(_SHOWN_LINES, since)
    if lines:
        say("The application wrote:")
    for line in lines:
        say(f"    {line}")


def _play(player: Player, options: Mapping[str, Any]) -> int:
    """Play the stories, and then the day; print and write what came out."""
    from facematch_mock_server.drill.stories import STORIES, playable, split_story

    obstacles = player.find_obstacles()
    if options["story"]:
        try:
            steps = split_story(options["story"])
        except ValueError as error:
            raise click.UsageError(f"--play: {error}.") from None
        for step in steps:
            if step in obstacles:
                raise click.UsageError(f"The step {step} {obstacles[step]}.")
        program = player.application.program
        size_before = 0 if program is None else program.output_size()
        played = [_tell_story(player, options["story"], [(0, step) for step in steps])]
        print("\n".join(played[0].lines))  # noqa: T201
        if program is not None and played[0].failures:
            _print_output(program, since=size_before)
    else:
        stories = playable(STORIES, obstacles)
        played = []
        told: set[str] = set()
        for story in stories:
            steps_of_story = [(0, step) for step in story.split(",")]
            one = _tell_story(player, STORIES[story], steps_of_story)
            played.append(one)
            # The first story of a verdict is the shortest, and the others are told by --play.
            _print_result(one, is_told=one.verdicts not in told)
            told.add(one.verdicts)
        _print_left_out(obstacles, stories)
        if options["customers"]:
            played += _play_day(player, stories, obstacles, options)
    wrong = [each for each in played if each.failures]
    say(f"{len(played) - len(wrong)} of {len(played)} stories end right.")
    if options["junit"] is not None:
        _write_junit(options["junit"], played)
    return Exit.NO if wrong else Exit.OK


def _tell_story(player: Player, title: str, steps: Sequence[Step]) -> Played:
    """Play a story, and keep what is told of it."""
    from facematch_mock_server.drill.judge import Verdict

    lines: list[str] = []
    order = list(Verdict)
    failures = sorted(player.play(steps, lines.append), key=lambda each: order.index(each.verdict))
    for failure in failures:
        lines.append(f"       => {failure.verdict.upper()}: {failure.detail}")
    return Played(title=title, steps=steps, failures=failures, lines=lines)


def _print_result(played: Played, *, is_told: bool = True) -> None:
    if not played.failures:
        say(f"right  {played.title}")
        return
    say(f"WRONG  {played.title}: {played.verdicts}")
    if is_told:
        for line in played.lines:
            say(f"    {line}")
    say(f"       again: {played.play_option}")


def _print_left_out(obstacles: Mapping[str, str], stories: Sequence[str]) -> None:
    """Say how many stories are left out, once for each reason; a story's first obstacle counts."""
    from facematch_mock_server.drill.stories import STORIES

    left_out: dict[str, int] = Counter()
    for story in STORIES:
        if story not in stories:
            reasons = [obstacles[step] for step in story.split(",") if step in obstacles]
            left_out[reasons[0]] += 1
    for reason, number in left_out.items():
        say(f"left out: {number} ({reason})")


def _play_day(
    player: Player, stories: Sequence[str], obstacles: Mapping[str, str], options: Mapping[str, Any]
) -> list[Played]:
    """Play a day, and shrink each kind of failure to a story."""
    from facematch_mock_server.drill.day import Shrinker, make_day

    customers = options["customers"]
    day = make_day(stories, customers=customers, seed=options["seed"], without=obstacles)
    failures = player.play(day)
    wrong_customers = {failure.customer for failure in failures}
    say(
        f"A day with {customers} customers, {len(day)} steps, seed {options['seed']}: "
        f"{customers - len(wrong_customers)} customers end right."
    )
    found = []
    seen = set()
    for failure in failures:
        if failure.verdict in seen:
            continue
        seen.add(failure.verdict)
        number = sum(each.verdict == failure.verdict for each in failures)
        shortest = Shrinker(play=player.play, failure=failure).shrink(day)
        played = _tell_story(player, f"{number} customers of the day", shortest)
        seen.update(each.verdict for each in played.failures)
        times = 0
        for _ in range(_REPLAYS):
            verdicts = {each.verdict for each in player.play(shortest)}
            times += failure.verdict in verdicts
        found.append(attrs.evolve(played, failures=played.failures or [failure]))
        _print_result(found[-1])
        say(f"       it came in {times} of {_REPLAYS} replays")
    return found


def _write_junit(file: Path, played: Sequence[Played]) -> None:
    suite = ET.Element("testsuite", name="facematch drill", tests=str(len(played)))
    suite.set("failures", str(sum(bool(each.failures) for each in played)))
    for each in played:
        case = ET.SubElement(suite, "testcase", classname="drill", name=each.title)
        if each.failures:
            failure = ET.SubElement(case, "failure", message=each.verdicts)
            failure.text = "\n".join([*each.lines, each.play_option])
    ET.ElementTree(suite).write(file, encoding="utf-8", xml_declaration=True)
