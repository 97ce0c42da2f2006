"""The command `facematch` itself: its subcommands are imported when they are used."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from facematch_core._nearest import nearest
from facematch_core.errors import ConfigurationError

from . import _exit

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

#: The entry-point group of plug-ins that add commands.
PLUGINS = "facematch.commands"

#: Our own commands: name to what the list says of it. Each is `command` of the module so named, a
#: hyphen being an underscore there.
COMMANDS: dict[str, str] = {
    "verify": "Compare two photographs, or many pairs of them.",
    "liveness": "Check one photograph for a live face.",
    "compare": "Which vendor, at which threshold, and how sure: study, run, report, gate.",
    "budget": "Show what is spent, reserved and unknown; settle what is unknown.",
    "backends": "List the backends and what each can do.",
    "doctor": "Show every setting, where it comes from, and what is missing.",
    "demo": "Compare sample photographs on this machine.",
    "conformance": "Prove that an installed backend keeps the contract; print its card.",
    "new-backend": "Write a small, complete plug-in repository that passes its own tests.",
}

#: Commands that the other packages of this distribution bring, by the module whose `command` they
#: are. Their entry points list them; to run one, the metadata of all that is installed is not read,
#: which would be a tenth of the time until the mock server answers.
BUNDLED: dict[str, str] = {
    "cards": "facematch_mock_server.cards.commands",
    "mock": "facematch_mock_server.cli.mock",
}


class Group(click.Group):
    """A group that imports a command only to run it, and ends with the documented exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Our commands in their order, then those of plug-ins."""
        return [*COMMANDS, *sorted(_plugins())]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command, imported now; one that fails to import becomes one that says why."""
        if cmd_name in COMMANDS:
            return _own(f"{__package__}.{cmd_name.replace('-', '_')}")
        if cmd_name in BUNDLED:
            # What cannot be imported is left to the entry point, which tells why.
            with contextlib.suppress(ImportError):
                return _own(BUNDLED[cmd_name])
        points = _plugins().get(cmd_name, [])
        return _loaded(cmd_name, points) if points else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, but an unknown command is told the nearest one."""
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            ctx.fail(f"There is no command {name[:60]!r}; {nearest(name, self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing one."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))
        plugins = _plugins()
        if plugins:
            with formatter.section("Commands of plug-ins"):
                formatter.write_dl([(name, _offered(plugins[name])) for name in sorted(plugins)])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The exit codes, and how a shell completes."""
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), text) for code, text in _exit.MEANING.items()])
        with formatter.section("Shell completion (bash; likewise zsh_source, fish_source)"):
            formatter.write_text('eval "$(_FACEMATCH_COMPLETE=bash_source facematch)"')

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run, and exit with what `_exit` says; a command's whole number is its exit code."""

        def run() -> Any:
            return super(Group, self).main(
                args=args,
                prog_name=prog_name,
                complete_var=complete_var,
                standalone_mode=False,
                windows_expand_args=windows_expand_args,
                **extra,
            )

        if not standalone_mode:
            return run()
        # Looked up in the words themselves: reading the options properly may be what fails.
        words = sys.argv[1:] if args is None else list(args)
        as_json = "--json" in words and self._is_flag("--json", words)
        sys.exit(_exit.ended(run, debug=words[:1] == ["--debug"], as_json=as_json))

    def _is_flag(self, option: str, words: Sequence[str]) -> bool:
        """Whether an option stands alone with the command that the words name, as it mostly does.

        With some commands it names a file.
        """
        command: click.Command | None = self
        for word in words:
            if not isinstance(command, click.Group):
                break
            if not word.startswith("-"):
                command = command.get_command(click.Context(command), word)
        known = [] if command is None else command.params
        return all(getattr(one, "is_flag", True) for one in known if option in one.opts)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does; whoever reads the help may end before we do."""
        try:
            return super().parse_args(ctx, args)
        except BrokenPipeError:
            ctx.exit(_exit.reader_gone())

    def invoke(self, ctx: click.Context) -> Any:
        """As click does; whoever reads the output may end before we do."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            return _exit.reader_gone()


def _own(module: str) -> click.Command:
    command: click.Command = importlib.import_module(module).command
    return command


def _plugins() -> dict[str, list[EntryPoint]]:
    """Commands that other distributions offer, by name; ours come first and stay."""
    from importlib.metadata import entry_points  # not above: most runs need no plug-in

    found: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=PLUGINS):
        if point.name in BUNDLED and point.value != f"{BUNDLED[point.name]}:command":
            continue
        if point.name not in COMMANDS and point not in found.get(point.name, []):
            found.setdefault(point.name, []).append(point)
    return found


def _offered(points: Sequence[EntryPoint]) -> str:
    return "from " + " and ".join(p.dist.name if p.dist else p.value for p in points)


def _loaded(name: str, points: Sequence[EntryPoint]) -> click.Command:
    if len(points) > 1:
        return _broken(name, f"it is offered twice, {_offered(points)}: uninstall one")
    try:
        loaded = points[0].load()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a plug-in's import raises is its own fault
        return _broken(name, f"{_offered(points)}: {type(error).__name__}: {error}"[:300])
    if not isinstance(loaded, click.Command):
        return _broken(name, f"{_offered(points)}: {points[0].value} is no click command")
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


def _show_version(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from facematch_core import __version__

        click.echo(f"facematch {__version__}")
        ctx.exit()


@click.command(
    "facematch",
    cls=Group,
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
@click.option("--debug", is_flag=True, expose_value=False, help="Show tracebacks; stands first.")
@click.pass_context
def facematch(ctx: click.Context) -> int | None:
    """Compare two faces with any vendor, and read one kind of answer.

    \b
    facematch demo                              try it: no account, nothing leaves the machine
    facematch verify selfie.jpg id.jpg          is it the same person?
    facematch COMMAND -h                        the options of one command
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
        # Not 0: a script whose words got lost must not read this as a match.
        return _exit.USAGE
    return None
