"""The command `facematch` itself: it imports its commands when used, and ends as documented."""

from __future__ import annotations

import errno
import importlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from facematch_core import __version__
from facematch_core.config import plugins
from facematch_core.errors import ConfigurationError

from .text import Exit, clean, code_of, error_document, error_sentence, print_json, say

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

#: Names the shell that is to complete, and what it wants.
COMPLETE = "_FACEMATCH_COMPLETE"

#: Name to what the list says of it, and nothing else does. Each is `command` of the module so
#: named, a hyphen being an underscore there.
COMMANDS: dict[str, str] = {
    "verify": "Compare two photographs, or many pairs of them.",
    "liveness": "Check one photograph for a live face.",
    "session": "Let the vendor's own page look at a person.",
    "budget": "Show what is spent, reserved and unknown; resolve what is unknown.",
    "backends": "List the backends and what each can do.",
    "doctor": "Show every setting, where it comes from, and what is missing.",
    "demo": "Compare sample photographs on this machine.",
    "new-backend": "Write a small, complete plug-in repository that passes its own tests.",
}

#: The same of those that this distribution has by entry points.
BUNDLED: dict[str, str] = {
    "cards": "Make and read test cards for the mock server.",
    "compare": "Which vendor, at which threshold, and how sure: pairs, run, report, gate.",
    "mock": "Serve mock vendors until Ctrl-C, all on one port.",
    "parity": "Compare a vendor with its mock, by call.",
}

#: What people type by habit, and the answer.
HABITS: dict[str, str] = {
    "help": "`facematch -h` lists the commands, and `facematch COMMAND -h` the options of one.",
    "init": "Nothing has to be set up: try `facematch demo`. `facematch -h` lists the commands.",
    "version": "It is `facematch --version`. `facematch -h` lists the commands.",
}


class LazyGroup(click.Group):
    """A group that imports a command only to run it; lists and completion come from a table."""

    #: Names that are no commands, and what to say of each.
    habits: Mapping[str, str] = {}

    def __init__(self, *args: Any, package: str, table: Mapping[str, str], **more: Any) -> None:
        super().__init__(*args, **more)
        self.package = package
        self.table = table

    def load(self, name: str) -> click.Command:
        module = importlib.import_module(f"{self.package}.{name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def help_lines(self) -> dict[str, dict[str, str]]:
        """Title of a section of the help to its commands, each with what is said of it."""
        return {"Commands": {**self.table}}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for lines in self.help_lines().values() for name in lines]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return self.load(cmd_name) if cmd_name in self.table else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, which knows of no command before it is imported."""
        name = args[0]
        if not name.startswith("-") and name not in (names := self.list_commands(ctx)):
            import difflib

            close = difflib.get_close_matches(name, names, n=1)
            hint = f"Did you mean {close[0]!r}?" if close else ""
            hint = self.habits.get(name, hint)
            ctx.fail(f"No such command {name[:60]!r}. {hint}".rstrip())
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, lines in self.help_lines().items():
            with formatter.section(title):
                formatter.write_dl([*lines.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        return [
            CompletionItem(name, help=line)
            for lines in self.help_lines().values()
            for name, line in lines.items()
            if name.startswith(incomplete)
        ] + click.Command.shell_complete(self, ctx, incomplete)


class App(LazyGroup):
    """Has the commands of plug-ins, too, and ends with the documented exit codes."""

    habits = HABITS

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """One of ours, which cannot be replaced, or one by an entry point."""
        ours = super().get_command(ctx, cmd_name)
        entry = None if ours else plugins.load(plugins.COMMANDS, cmd_name, "command")
        if entry is None:
            return ours
        loaded, point = entry
        if not isinstance(loaded, click.Command):
            raise ConfigurationError(
                f"The command {cmd_name} of {plugins.distribution(point)} is no click command: "
                "report this to its author."
            )
        return loaded

    def help_lines(self) -> dict[str, dict[str, str]]:
        """Those of this distribution, and those of strangers apart, with who offers each."""
        ours, theirs = dict(self.table), dict[str, str]()
        for name, points in plugins.installed(plugins.COMMANDS).items():
            origins = [plugins.distribution(point) for point in points]
            if plugins.CORE_DISTRIBUTION in origins:
                ours[name] = BUNDLED.get(name, "")
            elif name not in self.table:
                theirs[name] = clean(f"from {' and '.join(origins)}")
        return {"Commands": ours, **({"Commands of plug-ins": theirs} if theirs else {})}

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(int(code)), code.meaning) for code in Exit])
        with formatter.section("Shell completion (bash_source, zsh_source or fish_source)"):
            formatter.write_text(f'\b\neval "$({COMPLETE}=bash_source facematch)"')

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run, and exit with a documented code; a command's whole number is its exit code."""
        words = sys.argv[1:] if args is None else list(args)
        instruction = os.environ.get(COMPLETE, "")

        def run() -> Any:
            if not instruction:
                with self.make_context(prog_name or "facematch", words, **extra) as context:
                    return self.invoke(context)
            # A shell asks for its script, or for the words that can follow.
            from click.shell_completion import shell_complete

            try:
                done = shell_complete(self, {}, "facematch", COMPLETE, instruction) == 0
            except Exception:
                if instruction.endswith("_source"):
                    raise
                # Somebody is typing: a sentence would land in the middle of the line.
                return Exit.BUG
            if not done:
                raise click.UsageError(f"{COMPLETE} is bash_source, zsh_source or fish_source.")
            return Exit.OK

        if not standalone_mode:
            return run()
        # Looked up in the words themselves: reading the options properly may be what fails.
        sys.exit(_run_to_end(run, debug=words[:1] == ["--debug"], as_json="--json" in words))


def _run_to_end(run: Callable[[], Any], *, debug: bool, as_json: bool) -> int:
    """Make a call, say what it ended with, and answer the exit code."""
    try:
        answer = run()
    except click.exceptions.Exit as end:
        return end.exit_code
    except (click.Abort, EOFError, KeyboardInterrupt):
        if as_json:
            print_json({"error": error_document(KeyboardInterrupt())})
        say("stopped", err=True)
        return Exit.STOPPED
    # A plug-in that leaves by sys.exit() has not verified anybody.
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it is: people get a sentence, not a traceback
        is_pipe_closed = isinstance(error, BrokenPipeError) or (
            # What Windows says of it, and of nothing else without the name of a file.
            sys.platform == "win32"
            and type(error) is OSError
            and error.errno == errno.EINVAL
            and error.filename is None
        )
        if is_pipe_closed:
            # As `head` does. Python would complain on its way out, when it flushes what is left.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return Exit.PIPE
        if debug and not isinstance(error, click.ClickException):
            import traceback

            for line in "".join(traceback.format_exception(error)).splitlines():
                click.echo(clean(line), err=True)
        _report(error, as_json=as_json)
        return code_of(error)
    return answer if isinstance(answer, int) and not isinstance(answer, bool) else Exit.OK


def _report(error: BaseException, *, as_json: bool) -> None:
    """Tell an error: a sentence on stderr and, if asked, JSON on stdout."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        # Its message is the whole help, which is no sentence.
        click.echo(error.format_message(), err=True)
        return
    if as_json:
        print_json({"error": error_document(error)})
    elif isinstance(error, click.UsageError) and error.ctx is not None:
        click.echo(f"{error.ctx.get_usage()}\nMore: {error.ctx.command_path} -h", err=True)
    for line in f"error: {error_sentence(error)}".split("\n"):
        # A command is there to be pasted: with a line broken, a shell would run its beginning.
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
    help="Show the traceback of an error. Goes before the command.",
)
@click.pass_context
def facematch(ctx: click.Context) -> int | None:
    """Compare two faces with any vendor, and read one kind of answer.

    \b
    facematch demo                       try it: no account, nothing leaves here
    facematch verify selfie.jpg id.jpg   is it the same person?
    facematch COMMAND -h                 the options of one command
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
        # Not 0: a script whose words got lost must not read this as a match.
        return Exit.USAGE
    return None
