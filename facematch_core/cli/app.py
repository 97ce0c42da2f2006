"""The `facematch` command group: imports commands lazily and exits with documented codes."""

from __future__ import annotations

import contextlib
import importlib
import itertools
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TextIO

import click

from facematch_core import __version__
from facematch_core.config import plugins
from facematch_core.errors import ConfigurationError

from .text import Exit, clean, code_of, error_document, error_sentence, print_json, say

#: Help line of each command. A command is the object `command` in the module of the same name.
COMMANDS: dict[str, str] = {
    "verify": "Compare two photographs, or many pairs of photographs.",
    "liveness": "Check one photograph for a live face.",
    "budget": "Show budgets and resolve calls with an unknown charge.",
    "tidy": "Forget what is old and resolve what is unknown, or erase a customer.",
    "doctor": "Show installed backends, settings and their sources, and problems.",
    "docs": "List, print or search the project's pages, without a network.",
    "demo": "Compare sample photographs on this machine.",
    "new-backend": "Create a small plug-in repository that passes its own tests.",
}

#: Help lines of the commands that our own distribution adds through entry points.
BUNDLED: dict[str, str] = {
    "cards": "Make test cards for the mock server.",
    "compare": "Compare vendors on your photographs: draw, run, report, gate.",
    "drill": "Try a whole application with bad days: lost, late and forged webhooks.",
    "mock": "Serve mock vendors on one port until Ctrl-C, or with --door until COMMAND ends.",
    "parity": "Compare a recording of a vendor with its mock.",
}


class SuggestingGroup(click.Group):
    """A click group that names its commands, or the nearest one, if a name is unknown."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Resolve a command as click does, but suggest the nearest name for an unknown one."""
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            from facematch_core.backend.kinds import suggest_name

            hint = suggest_name(name, self.list_commands(ctx))
            if name == "version":
                hint = "use `facematch --version`."
            ctx.fail(f"No such command {name[:60]!r}; {hint}")
        return super().resolve_command(ctx, args)


class LazyGroup(SuggestingGroup):
    """A click group that lists its commands from a table and imports each command lazily."""

    def __init__(self, *args: Any, package: str, table: Mapping[str, str], **more: Any) -> None:
        super().__init__(*args, **more)
        self.package = package
        self.table = table

    def help_lines(self) -> dict[str, str]:
        """Return the help line of each command."""
        return dict(self.table)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.help_lines())

    def load(self, name: str) -> click.Command:
        module = importlib.import_module(f"{self.package}.{name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return self.load(cmd_name) if cmd_name in self.table else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(self.help_lines().items()))


class App(LazyGroup):
    """The top-level group: adds plug-ins' commands and exits with documented codes."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return our own command, which no plug-in can replace, or else a plug-in's command."""
        own_command = super().get_command(ctx, cmd_name)
        if own_command is not None:
            return own_command
        plugin = plugins.import_plugin(plugins.COMMANDS, cmd_name, "command")
        if plugin is None:
            return None
        if not isinstance(plugin.value, click.Command):
            author = plugins.distribution(plugin.entry_point)
            raise ConfigurationError(
                f"The command {cmd_name} of {author} is not a click command: report this to its "
                "author."
            )
        return plugin.value

    def help_lines(self) -> dict[str, str]:
        """Return our commands' help lines, followed by the distributions of plug-ins' commands."""
        own_lines = dict(self.table)
        lines_of_plugins = {}
        for name, entry_points in plugins.entry_points_by_name(plugins.COMMANDS).items():
            distributions = [plugins.distribution(entry_point) for entry_point in entry_points]
            if plugins.CORE_DISTRIBUTION in distributions:
                own_lines[name] = BUNDLED.get(name, "")
            elif name not in own_lines:
                lines_of_plugins[name] = clean(f"from {' and '.join(distributions)}")
        return own_lines | lines_of_plugins

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(int(code)), code.meaning) for code in Exit])

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        *_: Any,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command and exit with a documented code or the number that the command returns."""
        arguments = sys.argv[1:] if args is None else list(args)

        def run() -> Any:
            with self.make_context(prog_name or "facematch", arguments, **extra) as context:
                return self.invoke(context)

        if not standalone_mode:
            return run()
        # Search the raw arguments, because parsing them may fail.
        code = _run_to_end(
            run, arguments, debug=arguments[:1] == ["--debug"], as_json="--json" in arguments
        )
        for stream in (sys.stdout, sys.stderr):
            _drop_unwritten(stream)
        sys.exit(code)


#: The option of other commands for what a command's own option names.
_OTHER_WORDS = {"--vendor": "--backend", "--backend": "--vendor"}


def _with_own_word(error: click.NoSuchOption, arguments: Sequence[str]) -> click.UsageError:
    """Return the error that names the command's own option, with the value of another command's."""
    own_word = _OTHER_WORDS.get(error.option_name)
    if own_word is None or error.ctx is None:
        return error
    if all(own_word not in parameter.opts for parameter in error.ctx.command.params):
        return error
    value = "NAME"
    for argument, following in itertools.zip_longest(arguments, arguments[1:]):
        if argument.startswith(f"{error.option_name}="):
            value = argument.partition("=")[2]
        elif argument == error.option_name and following is not None:
            value = following
    return click.UsageError(
        f"No such option {error.option_name}: write {own_word} {value[:60]}.", ctx=error.ctx
    )


def _run_to_end(
    run: Callable[[], Any], arguments: Sequence[str], *, debug: bool, as_json: bool
) -> int:
    """Call `run`, print its error if it fails, and return the exit code."""
    try:
        answer = run()
    except click.exceptions.Exit as end:
        return end.exit_code
    except (click.Abort, EOFError, KeyboardInterrupt):
        _report(KeyboardInterrupt(), as_json=as_json, debug=False)
        return Exit.STOPPED
    # Also SystemExit, because sys.exit(0) in a plug-in must not look like a match.
    except (Exception, SystemExit) as error:  # noqa: BLE001 - show an error text, not a traceback
        # Windows reports a closed pipe as an invalid argument.
        is_windows_pipe = sys.platform == "win32" and type(error) is OSError and error.errno == 22
        if is_windows_pipe or isinstance(error, BrokenPipeError):
            return Exit.PIPE  # for example, in `| head`
        if isinstance(error, click.NoSuchOption):
            _report(_with_own_word(error, arguments), as_json=as_json, debug=debug)
            return code_of(error)
        _report(error, as_json=as_json, debug=debug)
        return code_of(error)
    return answer if isinstance(answer, int) and not isinstance(answer, bool) else Exit.OK


def _drop_unwritten(stream: TextIO | None) -> None:
    """Drop what a full disk or a closed pipe did not take: Python would fail to flush it at exit.

    The exit code would then be 120.
    """
    if stream is None:
        return
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _report(error: BaseException, *, as_json: bool, debug: bool) -> None:
    """Print an error: its text on stderr and, with --json, JSON on stdout.

    Where one of them cannot be written, such as on a full disk, the other one is.
    """
    is_help = isinstance(error, click.exceptions.NoArgsIsHelpError)
    if as_json and not is_help:
        with contextlib.suppress(OSError):
            print_json({"error": error_document(error)})
    with contextlib.suppress(OSError):
        _print_error(error, with_usage=not as_json, debug=debug)


def _print_error(error: BaseException, *, with_usage: bool, debug: bool) -> None:
    """Print an error to stderr, with its usage or its traceback if asked for.

    A command to paste is not wrapped.
    """
    if debug and not isinstance(error, click.ClickException):
        for line in "".join(traceback.format_exception(error)).splitlines():
            click.echo(clean(line), err=True)
    if isinstance(error, KeyboardInterrupt):
        say("stopped", err=True)
        return
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)  # the complete help
        return
    if with_usage and isinstance(error, click.UsageError) and error.ctx is not None:
        click.echo(f"{error.ctx.get_usage()}\nMore: {error.ctx.command_path} -h", err=True)
    for line in f"error: {error_sentence(error)}".split("\n"):
        # Do not wrap a command: if pasted into a shell, only its first line would run.
        show = click.echo if line.startswith("  facematch ") else say
        show(line, err=True)


@click.command(
    "facematch",
    cls=App,
    package=__package__,
    table=COMMANDS,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, message="facematch %(version)s", help="Show the version.")
@click.option(
    "--debug",
    is_flag=True,
    expose_value=False,
    help="Show the traceback of an error. Must precede the command.",
)
@click.pass_context
def facematch(ctx: click.Context) -> int | None:
    """Compare two faces with any vendor, and get the same kind of result from each.

    \b
    facematch demo                       try it out: no account needed, sends nothing
    facematch verify selfie.jpg id.jpg   check whether two photographs show the same person
    facematch COMMAND -h                 show the options of a command
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
        # Not 0, which a script that passes no arguments by mistake would read as a match.
        return Exit.USAGE
    return None
