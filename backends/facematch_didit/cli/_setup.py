"""The steps of `facematch didit setup`: questions, answers, a key file, a profile."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import click

from facematch_core import FaceMatchError, Secret
from facematch_core.config import FILE_NAME, is_trusted, trust
from facematch_core.errors import AuthenticationFailed, RateLimited, RequestRejected

from . import _asking, _profile_file
from ._accounts import say_key
from ._passwords import RULES, fault
from ._printing import say
from ._private_file import open_to_others, private_file
from ._profile_file import NewProfile

if TYPE_CHECKING:
    from facematch_didit.account import DiditAccount

T = TypeVar("T")

#: How often a password or a code may be wrong: Didit takes five registrations an hour.
_TRIES = 3

_INSTEAD = (
    "`facematch didit register` and `verify-email` do the same in single steps, and take the "
    "password and the code on standard input"
)

#: An answer that says no to what was typed, and may be followed by another.
_NO = (RequestRejected, AuthenticationFailed)


@attrs.frozen(kw_only=True)
class Setup:
    """One run.

    Attributes:
        have: ``nothing``, ``code`` or ``key``; None to ask.
        email: None to ask.
        file: The configuration file that gets the profile.
        is_named: Whether it has to be named, because it lies in no usual place.
        profile: The profile, with the file of its key.
        address: Settings of `DiditAccount`.
        show_key: Whether the key is printed.
    """

    have: str | None
    email: str | None
    file: Path
    is_named: bool
    profile: NewProfile
    address: Mapping[str, Any]
    show_key: bool

    def run(self) -> None:
        """All steps."""
        if not _asking.is_terminal():
            raise click.UsageError(
                f"setup asks questions on a terminal, and there is none: {_INSTEAD}."
            )
        _profile_file.check(self.file, self.profile)
        say("This ends with two files:")
        say(f"  {self.profile.key_file}  the key; only you can read it")
        say(f"  {self.file}  a profile {self.profile.name} that names the key's file")
        say("Nothing is charged. Ctrl-C stops at any time.")
        say()
        have = self.have or _ask_have()
        key = self._key_that_is_there() if have == "key" else self._key_from_didit(have)
        # Only what was trusted before is after it: the rest of the file may be a stranger's.
        is_found = not self.is_named and self.file == Path(FILE_NAME)
        may_trust = is_found and is_trusted(self.file)
        _profile_file.write(self.file, self.profile)
        if may_trust:
            trust(self.file)
        elif is_found:
            say(f"Read {self.file}, then run `facematch trust {self.file}`: it names a key file.")
        say(f"The profile {self.profile.name} is in {self.file}.")
        self._end(key)

    # --- with a key ---

    def _key_that_is_there(self) -> Secret:
        path = self.profile.key_file
        if path.exists() and _asking.agree(
            f"{path} is there already. Use the key in it?", default=True, instead=_INSTEAD
        ):
            key = Secret.from_file(path)
            self._check(key)
            if open_to_others(path):
                say(f"warning: others can read it; `chmod 600 {path}` ends that.", err=True)
            return key
        with self._key_place() as keep:
            key = _asking.ask_secret("Key (it is not shown)", instead=_INSTEAD)
            self._check(key)
            keep(key)
        say(f"The key is in {path}; only you can read it.")
        return key

    def _check(self, key: Secret) -> None:
        """Ask whether to go on with a key that Didit does not take."""
        problem = self._problem(key)
        if problem is None:
            return
        say(f"The credit could not be read with this key: {problem}", err=True)
        if not _asking.agree("Go on with it nevertheless?", instead=_INSTEAD):
            raise click.Abort

    # --- with a new account ---

    def _key_from_didit(self, have: str) -> Secret:
        from facematch_didit.account import DiditAccount

        with self._key_place() as keep, DiditAccount(**self.address) as account:
            if have == "nothing":
                email = self._register(account)
            else:
                email = self.email or _asking.ask("E-mail address", instead=_INSTEAD)
            key = _verified(account, email)
            keep(key)
        say(f"The key is in {self.profile.key_file}; only you can read it.")
        problem = self._problem(key)
        if problem is not None:
            say(f"warning: the credit could not be read yet: {problem}", err=True)
        return key

    def _register(self, account: DiditAccount) -> str:
        email = ""

        def once() -> str:
            nonlocal email
            # One that was given and refused is asked for again.
            given = None if email else self.email
            email = given or _asking.ask("E-mail address", default=email or None, instead=_INSTEAD)
            return account.register(email, _new_password()).email

        address = _tried(once)
        say(f"Registered. Didit sends a code to {address}, good for 10 to 15 minutes.")
        say(f"If you stop here, go on with: facematch didit setup --have code --email {address}")
        return address

    # --- at the end ---

    @contextlib.contextmanager
    def _key_place(self) -> Iterator[Callable[[Secret], None]]:
        replace = _asking.may_replace(self.profile.key_file, force=False)
        with private_file(self.profile.key_file, replace=replace) as keep:
            yield keep

    def _problem(self, key: Secret) -> str | None:
        """Why the credit cannot be read; None if it can, which says how much it is."""
        from facematch_didit.account import DiditAccount

        try:
            with DiditAccount(api_key=key, **self.address) as account:
                amount = account.balance().amount
        except FaceMatchError as error:
            return error.message
        say(f"Credit: {amount:f} USD")
        return None

    def _end(self, key: Secret) -> None:
        if self.show_key:
            say_key(key)
        say()
        say("Next:")
        where = f"--profile {self.profile.name}"
        where += f" --config {self.file}" if self.is_named else ""
        say(f"  facematch doctor {where}")
        say(f"  facematch verify selfie.jpg id.jpg {where}")
        say(f"  facematch didit balance {where}")


def _ask_have() -> str:
    say("  nothing  open an account now")
    say("  code     it is open, and a code came by e-mail")
    say("  key      there is an account, and you have its key")
    return _asking.choose("What do you have?", ["nothing", "code", "key"], instead=_INSTEAD)


def _new_password() -> Secret:
    say(f"The password needs {RULES}.")
    while True:
        password = _asking.ask_secret("Password (it is not shown)", twice=True, instead=_INSTEAD)
        problem = fault(password.reveal())
        if problem is None:
            return password
        say(f"This one lacks: {problem}.", err=True)


def _verified(account: DiditAccount, email: str) -> Secret:
    def once() -> Secret:
        while True:
            typed = _asking.ask("Code (or `again` for another one)", instead=_INSTEAD)
            if typed != "again":
                return account.verify_email(email, Secret(typed)).api_key
            try:
                account.resend_code(email)
            except (*_NO, RateLimited) as error:
                say(error.message, err=True)
            else:
                say("Another code is on its way.")

    return _tried(once)


def _tried(once: Callable[[], T]) -> T:
    for _ in range(_TRIES - 1):
        try:
            return once()
        except _NO as error:
            say(f"{error.message} Try again.", err=True)
    return once()
