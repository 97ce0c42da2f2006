"""Options that several commands share, and `Target`, which opens a verifier from them.

Imports vendors' packages and the configuration lazily, so that `--help` is fast.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import attrs
import click

from facematch_core import errors
from facematch_core.base.addresses import is_allowed_host
from facematch_core.models import Operation

from .text import say

if TYPE_CHECKING:
    from facematch_core.config.opening import AnySetup, Config, VerifierSetup
    from facematch_core.verifier.verifier import Verifier

Command = TypeVar("Command", bound=Callable[..., Any])

FILE = click.Path(path_type=Path)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, errors included.")


def file_option(
    name: str, help_: str, *, to: str | None = None, metavar: str = "FILE", **more: Any
) -> Callable[[Command], Command]:
    """Return a click option for a file or folder; `to` overrides the argument's name."""
    names = [name] if to is None else [name, to]
    return click.option(*names, type=FILE, metavar=metavar, help=help_, **more)


def parse_pairs(
    _context: click.Context, option: click.Parameter, texts: Iterable[str]
) -> dict[str, str]:
    """Parse the values of a repeatable ``name=value`` option."""
    values: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{text[:60]!r} is not name=value.", param=option)
        if name in values:
            raise click.BadParameter(f"{name[:60]!r} is given twice.", param=option)
        values[name] = value
    return values


def join_options(*decorators: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Combine several options into one decorator. `--help` shows them in this order."""

    def decorate(command: Command) -> Command:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return decorate


profile_option = click.option(
    "--profile",
    metavar="NAME",
    help="Profile of the configuration file. Default: the file's default profile.",
)
config_option = click.option(
    "--config",
    metavar="FILE",
    type=click.Path(),
    help="Configuration file. Default: $FACEMATCH_CONFIG, otherwise your user configuration file.",
)

backend_option = click.option(
    "--backend",
    metavar="NAME",
    help="Backend to use instead of a profile. Default if no file has profiles: `local`.",
)
CHARGED = "charged"
NOT_CHARGED = "not-charged"
#: Type of the argument by which a user says whether a call was charged.
VERDICT = click.Choice([CHARGED, NOT_CHARGED])

#: The options that `Target.of` reads.
target_options = join_options(backend_option, profile_option, config_option)

#: The values of --repeat of `verify --pairs`.
REPEAT_UNKNOWN = "unknown"
REPEAT_ALL = "all"

#: The options of commands that make calls.
call_options = join_options(
    target_options,
    click.option(
        "--threshold",
        type=float,
        metavar="0-100",
        help="Minimum score for a match, on the backend's scale.",
    ),
    click.option(
        "--caller-ref",
        metavar="TEXT",
        help="Your own reference for the person.",
    ),
    click.option("--keep", is_flag=True, help="Ask the vendor to store a record of the call."),
    json_option,
)

#: The default backend, which needs no account and sends nothing.
FALLBACK = "local"


@attrs.frozen(slots=False)
class Target:
    """The backend or profile to use.

    Default: the file's default profile; `FALLBACK` if there is no file, or none with profiles.
    """

    backend: str | None = None
    profile: str | None = None
    config: str | None = None

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Self:
        """Create a target from options; raise `click.UsageError` if they contradict each other."""
        target = cls(options.get("backend"), options["profile"], options["config"])
        if target.backend is not None and target.profile is not None:
            raise click.UsageError("Name a backend or a profile, not both.")
        if target.backend is not None and target.config is not None:
            raise click.UsageError(
                "--config is for profiles, and --backend uses none: pass --profile instead."
            )
        return target

    @functools.cached_property
    def loaded_config(self) -> Config | None:
        """The file from --config, $FACEMATCH_CONFIG or the user's folder.

        None if there is none, or if a backend is named.
        """
        from facematch_core.config.opening import load_config

        if self.backend is not None:
            return None
        return load_config(self.config)

    def profile_or_default(self) -> str | None:
        """Return the name of the profile to use, or None."""
        if self.backend is not None or self.profile is not None or self.loaded_config is None:
            return self.profile
        return self.loaded_config.default_profile

    def setup(self) -> AnySetup:
        """Return the verifier's setup, without opening anything."""
        from facematch_core.config import opening

        backend = self.backend_or_fallback()
        if backend is not None:
            return opening.VerifierSetup.of(backend)
        if self.loaded_config is None:
            # Raise, because there is no file for the profile.
            return opening.find_setup(profile=self.profile)
        # Raises if no profile is named and the file has no default profile.
        return self.loaded_config.setup_of(self.profile)

    def backend_or_fallback(self) -> str | None:
        """Return the name of the backend to use without a profile; None if a profile must be used.

        A file that has profiles was written for them: without a default profile, one must be named.
        """
        if self.backend is not None or self.profile is not None or self.config is not None:
            return self.backend
        has_profiles = self.loaded_config is not None and bool(self.loaded_config.profiles)
        return None if has_profiles else FALLBACK

    def announce_setup(self) -> AnySetup:
        """Return the setup, and print a note for each host that is not the vendor's own."""
        setup = self.setup()
        if self.backend is None and self.profile is None:
            self.tell_of_unread()
        for single in single_setups(setup):
            for note in foreign_hosts(single):
                say(f"note: {note}", err=True)
        return setup

    def tell_of_unread(self) -> None:
        """Print a note if the current folder contains a configuration file that is not loaded."""
        from facematch_core.config.opening import unread_file_hint

        if self.config is not None:
            return
        note = unread_file_hint(None if self.loaded_config is None else self.loaded_config.path)
        if note:
            say(f"note:{note}", err=True)

    @contextlib.contextmanager
    def open(self, *operations: Operation, **arguments: Any) -> Iterator[Verifier]:
        """Open a verifier with these `arguments` of `FaceVerifier`, as a context manager.

        Raises:
            Unsupported: none of the backends supports an operation in `operations`.
        """
        setup = self.announce_setup()
        backends = [single.backend for single in single_setups(setup)]
        # Check first: opening a backend may fail and suggest packages that would not help.
        for operation in operations:
            if not any(operation in backend.capabilities.operations for backend in backends):
                # Named after the first of several members.
                raise errors.Unsupported.of_operation(backends[0].name, operation)
        with setup.open(**arguments) as verifier:
            yield verifier


def single_setups(setup: AnySetup) -> list[VerifierSetup]:
    """Return the setups of all backends that a setup has, in the order of its members."""
    from facematch_core.config.opening import FailoverSetup

    return list(setup.members.values()) if isinstance(setup, FailoverSetup) else [setup]


def foreign_hosts(setup: VerifierSetup) -> Iterator[str]:
    """Yield a note for each host that receives faces and keys but is not the vendor's own."""
    from urllib.parse import urlsplit

    for setting in setup.settings:
        if not setting.name.endswith("url") or not isinstance(setting.value, str):
            continue
        with contextlib.suppress(ValueError):
            parts = urlsplit(setting.value)
            vendor_hosts = setup.backend.allowed_hosts
            if not parts.hostname or is_allowed_host(parts.hostname, vendor_hosts):
                continue
            note = f"requests to {setup.backend.name} go to {parts.hostname}"
            if parts.port:
                note += f":{parts.port}"
            if vendor_hosts:
                note += ", not the vendor's own host"
            yield note
