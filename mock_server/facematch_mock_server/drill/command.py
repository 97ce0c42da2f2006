"""`facematch drill`: play stories against a whole application."""

from __future__ import annotations

import contextlib
import functools
import itertools
import math
import os
import secrets
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from facematch_core.base.addresses import is_loopback
from facematch_core.base.files import read_text, read_toml
from facematch_core.cli.files import refuse_unwritable
from facematch_core.cli.text import Exit, say
from facematch_mock_server.cli import CA_FOLDER, DOOR_PORT, naming_the_port, require_door
from facematch_mock_server.server import MockServer
from facematch_mock_server.vendors import vendor_named, vendor_names
from facematch_mock_server.world.outgoing import is_web_url, may_send, split_url

from .application import (
    ANSWER_S,
    ApplicationError,
    Program,
    ask,
    wait_for_listeners,
    wait_for_word,
    wait_until,
)
from .day import make_day, shorten
from .judge import Belief, Failure, Verdict
from .options import Options, example
from .player import Player
from .receiver import start_session
from .results_cli import Result, Results, print_lines
from .run import Application
from .steps import Need
from .stories import OF_A_RECEIVER, Taken, find_obstacle, join_story, split_story

if TYPE_CHECKING:
    from facematch_mock_server.door import Door

#: Seconds for which a wrong customer of a day is judged again.
_PATIENCE_S = 60.0
#: Seconds in which an application that could not listen has ended by itself.
_END_S = 3.0
_SKIPPED = "--skip"
#: How much of an answer is shown.
_SHOWN_LETTERS = 300


# fmt: off
@click.command("drill")
@click.option("--vendor", metavar="NAME", default="",
    help="Vendor with sessions whose mock the application calls. Give an unknown name to list all.")
@click.option("--begin", metavar="URL|COMMAND",
    help="Starts a verification of {customer}: 'POST http://...', a URL, or a command. {email} is "
    "an address, which one story gives to three customers.")
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
@DOOR_PORT(show_default="no door; COMMAND has one of its own")
@CA_FOLDER
@click.option("--customers", type=click.IntRange(min=1), metavar="N",
    help="Play a day with so many customers after the stories.")
@click.option("--seed", type=int, default=1, show_default=True, metavar="NUMBER",
    help="Seed of the day.")
@click.option("--play", "story", metavar="STEPS", help="Play one story, such as "
    "'begin-twice,pass-first', and tell it.")
@click.option("--stories", "stories_file", type=click.Path(path_type=Path), metavar="FILE",
    help="TOML file with stories of your own, played after the others: TITLE = 'STEPS'.")
@click.option("--skip", metavar="STORY", multiple=True,
    help="Story to leave out, by its title or steps. May be repeated.")
@click.option("--strict", "is_strict", is_flag=True,
    help="Exit with 1 if a story is not tried for want of --job, --webhook or COMMAND.")
@click.option("--timeout", "timeout_s", metavar="SECONDS",
    type=click.FloatRange(min=0, min_open=True),
    help="Play no further story after so many seconds, and exit with 3.")
@click.option("--junit", type=click.Path(path_type=Path), metavar="FILE",
    help="Write the result as JUnit XML after each story, one test for each.")
@click.option("--example", "is_example", is_flag=True,
    help="Drill a small shop that is wrong on purpose.")
@click.argument("program", metavar="[-- COMMAND]...", nargs=-1, type=click.UNPROCESSED)
def command(**given: Any) -> int:
    """Try a whole application with bad days: lost, late and forged webhooks.

    Plays stories, and says what the application believes wrongly afterwards.

    COMMAND starts the application. It runs behind a door, which answers the vendor's own host, so
    it needs no change. It gets the mock's URL and keys in DRILL_URL, DRILL_KEY and DRILL_CLIENT,
    the webhook's secret in DRILL_SECRET, and all of them in the vendor's usual variables. Without
    COMMAND, it must already run and call the mock at --port; or it starts within a minute in
    another container, where the vendor's host is the drill's name, and trusts --ca-folder.

    The exit code is 0 if every story that was played ends right, 1 if one does not, 3 if none is
    played or the application cannot be tried, and 4 if the mock saw no call of it: it may
    have called the vendor, and paid.
    """
    options = Options(**given)
    if options.is_example:
        options = example(options)
        say("A small shop on this machine, which is wrong on purpose; no account is needed.")
    known = [name for name in vendor_names() if vendor_named(name).drilled.approved]
    if options.vendor not in known:
        raise click.UsageError(f"--vendor must be one of {', '.join(known)}.")
    host = _check_options(options)
    stories = _read_stories(options)
    secret = None
    if options.secret_file is not None:
        secret = read_text(options.secret_file, "secret file").strip()
        if not secret:
            raise click.UsageError(f"{options.secret_file} is empty: write the secret into it.")
    try:
        server = MockServer(
            vendor=options.vendor,
            host=options.host,
            port=options.port,
            control=is_loopback(options.host),
            deliver_to=[] if host is None else [host],
        )
    except ValueError as error:  # no server can have a host of this name
        raise click.UsageError(f"--deliver-to: {error}.") from None
    server.app.is_ready = options.door_port is None
    with contextlib.ExitStack() as stack:
        with naming_the_port(options.port, "--port"):
            mock = stack.enter_context(server)
        _end_by_signals(stack)
        try:
            return _run(mock, options, secret, stories)
        except ApplicationError as error:
            say(str(error))
            return Exit.LOOK
# fmt: on


def _end_by_signals(stack: contextlib.ExitStack) -> None:
    """Let SIGTERM and a closed terminal end the application as Ctrl-C does."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    # The application is in a session of its own, so it outlives the terminal.
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None:
            stack.callback(signal.signal, number, signal.signal(number, interrupt))


def _check_options(options: Options) -> str | None:
    """Check the options that go together; return the host to deliver to, if it is not this one."""
    if options.junit is not None:
        refuse_unwritable("--junit", options.junit, may_exist=True)
    if not options.begin and not options.webhook:
        raise click.UsageError("Name --begin and --state, or at least --webhook.")
    if bool(options.begin) != bool(options.state):
        raise click.UsageError("--begin needs --state, and --state needs --begin.")
    options.check_door()
    if not options.program and options.webhook and options.secret_file is None:
        raise click.UsageError(
            "Without a COMMAND, the drill needs --secret-file with the secret of the webhook."
        )
    other_host = None
    urls = options.urls(options.begin, options.state, options.job)
    if options.webhook:
        urls.append(options.webhook)
    for url in urls:
        host = _host_of(url)
        if not may_send(url, (host,)):
            raise click.UsageError(
                f"{url[:200]!r} cannot be requested: write it in ASCII without spaces, with a port "
                "from 1 to 65535."
            )
        if is_loopback(host):
            continue
        if host != (options.deliver_to or "").lower():
            raise click.UsageError(
                f"{host} is not this machine: add --deliver-to {host} if the application there is "
                "your own."
            )
        other_host = host
    return other_host


def _host_of(url: str) -> str:
    """Return a URL's host; raise `click.UsageError` if it has none."""
    host = split_url(url).hostname
    if not is_web_url(url) or host is None:
        raise click.UsageError(f"The URL must begin with http:// or https://, not {url[:60]!r}.")
    return host


def _read_stories(options: Options) -> dict[str, str]:
    """Return the titles of the stories to play, by their steps, with the user's own at the end."""
    if options.story is not None:
        return {_check_story("--play", options.story): options.story}
    stories = dict(options.stories)
    if options.stories_file is not None:
        for title, story in read_toml(options.stories_file, "file of stories").items():
            stories[_check_story(title, story)] = title
    for skipped in options.skip:
        if skipped not in (*stories, *stories.values()):
            raise click.UsageError(f"--skip: there is no story {skipped!r:.80}.")
    return stories


def _check_story(name: str, story: object) -> str:
    """Return a story in the form of `join_story`; raise UsageError for no text or no such step."""
    if not isinstance(story, str):
        raise click.UsageError(f"{name}: a story is a text, such as 'begin,pass'.")
    try:
        return join_story(split_story(story))
    except ValueError as error:
        raise click.UsageError(f"{name}: {error}.") from None


def _run(mock: MockServer, options: Options, secret: str | None, stories: Mapping[str, str]) -> int:
    """Start the application, and play with it; return the exit code."""
    served = mock.of(options.vendor)
    if secret is None:
        secret = f"whsec_{mock.control.world.ids.hex()}"
        if mock.control.world.vendor.drilled.key_signs_webhooks:
            secret = mock.live_key
    with contextlib.ExitStack() as stack:
        program = None
        client = f", client id {mock.client_id}" if mock.client_id else ""
        duty = f"call the mock at {mock.url} (key {mock.live_key}{client})"
        if options.program:
            program = _start_program(mock, options, secret, stack)
            duty += " or trust the proxy in HTTPS_PROXY"
        elif options.door_port is not None:
            door = _open_door(mock, options, stack)
            hosts = " or ".join(sorted(mock.control.world.vendor.hosts))
            file = (options.ca_folder or door.authority.pem.parent) / "ca.pem"
            duty = f"call {hosts}, a name that leads to {door.url}, and trust {file}"
            say(f"The application must {duty}.")
            urls = options.urls(options.state, options.begin, options.webhook)
            if urls:
                wait_for_listeners(urls)
            elif options.state:
                wait_for_word(options.state)
        else:
            say(f"No command: the application must {duty}, and no story kills it.")
        application = Application(
            begin=options.begin or functools.partial(start_session, served),
            state=options.state,
            webhook=options.webhook,
            secret=secret,
            job=options.job,
            words=_read_words(options.words),
            once=options.once,
            program=program,
            document_name=options.document_name,
        )
        if options.begin and not _is_mock_called(mock, application, duty):
            return Exit.CONFIGURATION
        return _play(Player(served, application), options, stories)


def _open_door(mock: MockServer, options: Options, stack: contextlib.ExitStack) -> Door:
    """Open the door: for a COMMAND, or at a port for an application in another container."""
    require_door()
    from facematch_mock_server.door import Door

    host = "127.0.0.1" if options.door_port is None else options.host
    port = options.door_port or 0
    door = Door(
        mock,
        any_key=True,
        host=host,
        port=port,
        ca_folder=options.ca_folder,
        report=functools.cache(say),
    )
    with naming_the_port(port, "--door-port"):
        return stack.enter_context(door)


def _start_program(
    mock: MockServer, options: Options, secret: str, stack: contextlib.ExitStack
) -> Program:
    """Start the application behind a door, and return its process."""
    door = _open_door(mock, options, stack)
    from facematch_mock_server.door.variables import variables_for  # as in `_open_door`

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
    program = Program(
        options.program,
        {name: value for name, value in environment.items() if value is not None},
        options.urls(options.state, options.begin, options.webhook),
    )
    stack.callback(program.close)
    program.start()
    return program


def _read_words(pairs: Sequence[str]) -> dict[str, Belief]:
    """Return what the words of `--map` mean; raise UsageError for another form or meaning."""
    words = {}
    for pair in pairs:
        word, _, meaning = pair.rpartition("=")
        if not word or meaning not in list(Belief):
            raise click.UsageError(f"--map must be WORD=approved, declined, open or none: {pair}.")
        words[word] = Belief(meaning)
    return words


def _is_mock_called(mock: MockServer, application: Application, duty: str) -> bool:
    """Begin once, and return whether the mock saw a call: else the vendor may have been paid.

    `duty` is what the application must do, for the advice. Raises ApplicationError, after what the
    application wrote, if it did not begin at all.
    """
    program = application.program
    # A new name, because the application may have kept the customer of an earlier drill.
    answer = ask(application.begin, f"drill-first-{secrets.token_hex(4)}")
    # A call may come after the answer, and the door may have something to report.
    wait_until(mock.control.journal, _END_S)
    calls = mock.control.journal()
    if program is not None:
        # If the port was taken meanwhile, another program has answered, and this one has ended.
        program.check_running()
    if any(call.key == "wrong" for call in calls):
        say(
            "The mock refused the application's key: give it the key in DRILL_KEY, here "
            f"{mock.live_key}."
        )
        return False
    if answer.status is None:
        raise ApplicationError(
            "The application did not answer --begin: it closed the connection, or needs more than "
            f"{ANSWER_S:.0f} s."
        )
    if not answer.is_accepted:
        if program is not None:
            print_lines(program.last_lines())
        raise ApplicationError(
            f"The application answered {answer} to the first --begin"
            f"{'' if calls else ', before the mock saw a call'}, so no story can be played. Its "
            f"answer: {answer.body[:_SHOWN_LETTERS] or 'empty'}"
        )
    if calls:
        return True
    say(
        f"The application answered {answer} to --begin, and the mock saw no call: it may have "
        f"called the vendor, and paid. Nothing more is sent. Let it {duty}."
    )
    return False


def _play(player: Player, options: Options, stories: Mapping[str, str]) -> int:
    """Play the stories, and then the day; print and write what came out of each at once."""
    results = Results(options.vendor, options.junit, is_strict=options.is_strict)
    ends_at = time.monotonic() + (options.timeout_s or math.inf)
    obstacles = player.find_obstacles()
    playable = []
    try:
        for story, title in stories.items():
            reason = _reason_to_skip(obstacles, options, story, title)
            if reason is not None and options.story is not None:
                raise click.UsageError(f"--play: {story} {reason}.")
            if reason is not None:
                results.skip(title, reason)
                continue
            if time.monotonic() > ends_at:
                raise ApplicationError(f"--timeout: {options.timeout_s:g} s are over.")
            playable.append(story)
            result = _tell_story(player, title, split_story(story))
            results.add(result, is_told=options.story is not None)
            if results.has_crashed_thrice:
                raise ApplicationError("The application crashed in three stories in a row.")
        if not results.played:
            raise ApplicationError(results.why_none)
        if options.customers is not None:
            _play_day(player, playable, options, results, options.customers)
    finally:
        results.print_count()
    return results.exit_code


def _reason_to_skip(
    obstacles: Mapping[str, Need], options: Options, story: str, title: str
) -> str | None:
    """Return why a story is not played; None if it is."""
    if {story, title}.intersection(options.skip):
        return _SKIPPED
    if not options.begin and story not in OF_A_RECEIVER:
        return "needs --begin and --state"
    return find_obstacle(story, obstacles)


def _tell_story(player: Player, title: str, steps: Sequence[Taken]) -> Result:
    """Play a story, and keep what is told of it."""
    lines: list[str] = []
    began_at = time.monotonic()
    played = player.play(steps, lines.append)
    return Result(
        title=title,
        story=join_story(steps),
        played=played,
        lines=lines,
        seconds=time.monotonic() - began_at,
    )


def _play_day(
    player: Player, stories: Sequence[str], options: Options, results: Results, customers: int
) -> None:
    """Play a day, and tell each kind of failure as a story, if the customer fails alone, too."""
    without = player.find_obstacles()
    day = make_day(stories, customers=customers, seed=options.seed, without=without)
    say(f"A day with {customers} customers, {len(day)} steps, seed {options.seed}:")
    told = itertools.count(1)
    tenth = 1 + len(day) // 10

    def tell(_: str) -> None:
        number = next(told)
        if number % tenth == 0:
            say(f"    {number} of {len(day)} steps")

    played = player.play(day, tell, _PATIENCE_S)
    for customer, seconds in played.late.items():
        say(f"    late: {seconds:.0f} s ({customer})")
    wrong_customers = {failure.customer for failure in played.failures}
    say(f"    {customers - len(wrong_customers)} customers end right.")
    results.late += len(played.late)
    by_verdict: dict[Verdict, list[Failure]] = {}
    for failure in played.failures:
        by_verdict.setdefault(failure.verdict, []).append(failure)
    for failures in by_verdict.values():
        steps = shorten(lambda steps: player.play(steps).failures, failures[0], day)
        result = _tell_story(player, f"{len(failures)} customers of the day", steps)
        if not result.verdicts:
            # It comes with other customers only, or not each time.
            result = attrs.evolve(result, played=attrs.evolve(played, failures=failures[:1]))
        results.add(result)
