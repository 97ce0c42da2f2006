"""The command `facematch` itself: it imports its commands when used, and ends as documented."""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from facematch_core.errors import ConfigurationError, ScaleWarning

from .common import (
    MEANING,
    Exit,
    clean,
    code_of,
    error_document,
    example,
    print_json,
    say,
    sentence,
)

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

#: The entry-point group of plug-ins that add commands.
PLUGINS = "facematch.commands"

#: Our own distribution: nobody replaces a command of it.
OWN = "facematch-core"

#: Names the shell that is to complete, and what it wants.
COMPLETE = "_FACEMATCH_COMPLETE"

#: Our own commands: name to what the list says of it. Each is `command` of the module so named, a
#: hyphen being an underscore there.
COMMANDS: dict[str, str] = {
    "verify": "Compare two photographs, or many pairs of them.",
    "liveness": "Check one photograph for a live face.",
    "budget": "Show what is spent, reserved and unknown; resolve what is unknown.",
    "backends": "List the backends and what each can do.",
    "doctor": "Show every setting, where it comes from, and what is missing.",
    "demo": "Compare sample photographs on this machine.",
    "conformance": "Check that an installed backend conforms; print its report.",
    "new-backend": "Write a small, complete plug-in repository that passes its own tests.",
}


class LazyGroup(click.Group):
    """A group that imports a command only to run it; lists and completion come from a table.

    Args:
        package: Where the modules of the commands are; each has its `command`.
        table: Name of a command to what the list says of it, in the order of the list.
    """

    def __init__(self, *args: Any, package: str, table: Mapping[str, str], **more: Any) -> None:
        super().__init__(*args, **more)
        self.package = package
        self.table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in their order."""
        return [*self.table]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command, imported now."""
        return self.load(cmd_name) if cmd_name in self.table else None

    def load(self, name: str) -> click.Command:
        """One of the table, imported now."""
        module = importlib.import_module(f"{self.package}.{name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, but whoever types an unknown command sees the nearest one."""
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            from facematch_core.kinds import nearest

            ctx.fail(f"There is no command {name[:60]!r}; {nearest(name, self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)

    def help_lines(self) -> dict[str, str]:
        """Name of every command to what lists and completion say of it."""
        return {**self.table}

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing one."""
        with formatter.section("Commands"):
            formatter.write_dl([*self.table.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete a command without importing one, or an option."""
        from click.shell_completion import CompletionItem

        return [
            CompletionItem(name, help=line)
            for name, line in self.help_lines().items()
            if name.startswith(incomplete)
        ] + click.Command.shell_complete(self, ctx, incomplete)


class App(LazyGroup):
    """Has the commands of plug-ins, too, and ends with the documented exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Our commands in their order, then those of plug-ins."""
        return [*self.table, *_plugins()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command, imported now; a plug-in's that cannot be becomes one that says why."""
        if cmd_name in self.table:
            return self.load(cmd_name)
        points = _plugins().get(cmd_name)
        return _loaded(cmd_name, points) if points else None

    def help_lines(self) -> dict[str, str]:
        """Ours, then those of plug-ins."""
        return {**self.table, **{name: _line(points) for name, points in _plugins().items()}}

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Those of this distribution, and those of strangers apart."""
        ours, theirs = dict(self.table), dict[str, str]()
        for name, points in _plugins().items():
            (ours if points[0].distribution == OWN else theirs)[name] = _line(points)
        with formatter.section("Commands"):
            formatter.write_dl([*ours.items()])
        if theirs:
            with formatter.section("Commands of plug-ins"):
                formatter.write_dl([*theirs.items()])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The exit codes, and how a shell completes."""
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), text) for code, text in MEANING.items()])
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
        # Looked up in the words themselves: reading the options properly may be what fails.
        debug, as_json = words[:1] == ["--debug"], "--json" in words
        instruction = os.environ.get(COMPLETE, "")

        def run() -> Any:
            with _our_help():
                if instruction:
                    return self._complete(instruction)
                with self.make_context(prog_name or "facematch", words, **extra) as context:
                    return self.invoke(context)

        if not standalone_mode:
            return run()
        sys.exit(_ended(run, debug=debug, as_json=as_json))

    def _complete(self, instruction: str) -> int:
        """Print what a shell asks for: its script, or the words that can follow."""
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


# --- Help -----------------------------------------------------------------------------------------


class Formatter(click.HelpFormatter):
    """Wraps examples as well, so that no line is wider than the terminal."""

    def write_text(self, text: str) -> None:
        """As click does, but breaks long lines after ``\\b``, too, which it leaves as they are."""
        blocks, room = [], max(self.width - self.current_indent, 20)
        for block in text.split("\n\n"):
            first, *lines = block.split("\n")
            if first.strip() == "\b":
                lines = [part for line in lines for part in example(line, room)]
            blocks.append("\n".join([first, *lines]))
        super().write_text("\n\n".join(blocks))


@contextlib.contextmanager
def _our_help() -> Iterator[None]:
    """Help in our form, in the commands of plug-ins too, which make contexts of their own."""
    before = click.Context.formatter_class
    click.Context.formatter_class = Formatter
    try:
        yield
    finally:
        click.Context.formatter_class = before


# --- How it ends ----------------------------------------------------------------------------------

#: A group that was given no verb; before click 8.2 it is no error.
_NO_VERB: Any = getattr(click.exceptions, "NoArgsIsHelpError", ())


def _ended(run: Callable[[], Any], *, debug: bool, as_json: bool) -> int:
    """Make a call and say what it ended with.

    Args:
        run: Its whole number, if it answers with one, is the code.
        debug: Show the traceback on stderr before the error; wrong usage has none.
        as_json: Errors are JSON on stdout as well.
    """
    # The command line asks about such a threshold itself, by the name of its option or profile.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ScaleWarning)
        return _code(run, debug=debug, as_json=as_json)


def _code(run: Callable[[], Any], *, debug: bool, as_json: bool) -> int:
    try:
        answer = run()
    except click.exceptions.Exit as end:
        return end.exit_code
    except (click.Abort, EOFError, KeyboardInterrupt):
        if as_json:
            _print_error(KeyboardInterrupt())
        say("stopped", err=True)
        return Exit.STOPPED
    # A plug-in that leaves by sys.exit() has not verified anybody.
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it is: people get a sentence, not a traceback
        if _nobody_reads(error):
            # As `head` does. Python would complain on its way out, when it flushes what is left.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return Exit.PIPE
        if debug and not isinstance(error, click.ClickException):
            import traceback

            for line in "".join(traceback.format_exception(error)).splitlines():
                click.echo(clean(line), err=True)
        return _report(error, as_json=as_json)
    return answer if isinstance(answer, int) and not isinstance(answer, bool) else Exit.OK


def _nobody_reads(error: BaseException) -> bool:
    """Whether the program that reads our output has ended."""
    if isinstance(error, BrokenPipeError):
        return True
    # What Windows says of it, and of nothing else without the name of a file.
    return (
        sys.platform == "win32"
        and type(error) is OSError
        and error.errno == errno.EINVAL
        and error.filename is None
    )


def _report(error: BaseException, *, as_json: bool) -> int:
    """Tell an error: a sentence on stderr and, if asked, JSON on stdout."""
    if isinstance(error, _NO_VERB):
        # Its message is the whole help, which is no sentence.
        click.echo(error.format_message(), err=True)
        return code_of(error)
    if as_json:
        _print_error(error)
    elif isinstance(error, click.UsageError) and error.ctx is not None:
        click.echo(f"{error.ctx.get_usage()}\nMore: {error.ctx.command_path} -h", err=True)
    for line in f"error: {sentence(error)}".split("\n"):
        say(line, err=True)
    return code_of(error)


def _print_error(error: BaseException) -> None:
    print_json({"error": error_document(error)})


# --- Plug-ins -------------------------------------------------------------------------------------


class Point(NamedTuple):
    """Where a distribution has a command."""

    distribution: str
    module: str
    name: str

    def load(self) -> Any:
        """What is there, imported now."""
        return getattr(importlib.import_module(self.module), self.name)


def _plugins() -> dict[str, list[Point]]:
    """Commands that distributions offer, by name; our own cannot be replaced.

    Entry points are read from their files: to import `importlib.metadata` alone takes as long as
    everything else of a help text, and each TAB would wait for it.
    """
    found: dict[str, dict[str, Point]] = {}
    for distribution, text in _entry_points().items():
        section = re.search(rf"^\[{re.escape(PLUGINS)}\]\s*$([^\[]*)", text, re.MULTILINE)
        lines = section[1] if section else ""
        for name, module, attribute in re.findall(
            r"^(\S+)\s*=\s*([\w.]+):(\w+)", lines, re.MULTILINE
        ):
            if name not in COMMANDS:
                points = found.setdefault(name, {})
                points[distribution] = Point(distribution, module, attribute)
    return {
        name: [points[OWN]] if OWN in points else [*points.values()]
        for name, points in sorted(found.items())
    }


def _entry_points() -> dict[str, str]:
    """Distribution to its entry points, as text; the first one on the path counts."""
    found: dict[str, str] = {}
    for place in sys.path:
        try:
            entries = sorted(os.listdir(place or "."))  # noqa: PTH208 - pathlib is slow, and this is for speed
        except OSError:
            continue
        for entry in entries:
            name, kind = os.path.splitext(entry)  # noqa: PTH122 - likewise
            if kind in (".dist-info", ".egg-info"):
                distribution = name.partition("-")[0].lower().replace("_", "-")
                with contextlib.suppress(OSError, UnicodeDecodeError):
                    file = os.path.join(place, entry, "entry_points.txt")  # noqa: PTH118 - likewise
                    with open(file, encoding="utf-8") as opened:  # noqa: PTH123 - likewise
                        found.setdefault(distribution, opened.read())
    return found


def _offered(points: Sequence[Point]) -> str:
    return "from " + " and ".join(point.distribution for point in points)


def _line(points: Sequence[Point]) -> str:
    """What a plug-in's command says of itself; who offers it, if that cannot be read.

    Read from the source: to import a plug-in can take longer than everything else of a help text.
    """
    with contextlib.suppress(Exception):
        if len(points) == 1 and (found := _said(points[0])):
            return clean(found)
    return _offered(points)


def _said(point: Point) -> str | None:
    """The `short_help` of a command, else how its docstring begins, without an import."""
    import ast
    from importlib.machinery import PathFinder
    from importlib.util import find_spec

    name, *inner = point.module.split(".")
    spec = find_spec(name)
    for part in inner:
        name = f"{name}.{part}"
        spec = PathFinder.find_spec(name, spec.submodule_search_locations if spec else None)
    source: Any = spec and spec.loader
    for node in ast.parse(source.get_source(name)).body:
        if isinstance(node, ast.FunctionDef) and node.name == point.name:
            for decorator in node.decorator_list:
                for keyword in getattr(decorator, "keywords", ()):
                    if keyword.arg == "short_help":
                        return str(ast.literal_eval(keyword.value))
            paragraph = (ast.get_docstring(node) or "").split("\n\n")[0]
            return " ".join(paragraph.split()) or None
    return None


def _loaded(name: str, points: Sequence[Point]) -> click.Command:
    """A plug-in's command; one that cannot be used becomes one that says why."""
    offered = _offered(points)
    if len(points) > 1:
        return _broken(name, f"it is offered twice, {offered}: uninstall one")
    try:
        loaded = points[0].load()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a plug-in's import raises is its own fault
        return _broken(name, f"{offered}: {type(error).__name__}: {error}"[:300])
    if not isinstance(loaded, click.Command):
        return _broken(name, f"{offered}: {points[0].module}:{points[0].name} is no click command")
    return loaded


def _broken(name: str, reason: str) -> click.Command:
    """A command that only says why it cannot be used; the others do not suffer from it."""

    @click.command(
        name,
        add_help_option=False,
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )
    def command() -> None:
        raise ConfigurationError(f"The command {name} cannot be used ({reason}).")

    return command


# --- The command ----------------------------------------------------------------------------------


def _show_version(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from facematch_core import __version__

        click.echo(f"facematch {__version__}")
        ctx.exit()


@click.command(
    "facematch",
    cls=App,
    package=__package__,
    table=COMMANDS,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version.",
)
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
