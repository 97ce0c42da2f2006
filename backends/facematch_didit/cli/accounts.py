"""The commands about an account: `setup`, what it is made of, `login`, and the credit."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, TypeVar

import attrs
import click

from facematch_core import FaceMatchError, Secret
from facematch_core.config import FILE_NAME
from facematch_core.errors import AuthenticationFailed, RateLimited, RequestRejected
from facematch_didit.account import Balance, DiditAccount, VerifiedAccount

from . import _common as common
from . import _profile_file
from ._common import NOTHING, Where, configuration, document, folder, opened, say
from ._private_file import open_to_others, private_file
from ._profile_file import NewProfile, check_name

# --- register, verify-email, resend-code, login ---------------------------------------------------


@click.command("register", short_help="Open an account; a code comes by e-mail.")
@common.email
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@common.address
@common.as_json
def register(email: str, password_stdin: bool, as_json: bool, **address: Any) -> None:
    """Open an account for EMAIL at Didit, who sends a code there.

    `facematch didit verify-email` takes the code. The password is asked for, never an argument: at
    least eight characters, with a capital and a small letter, a digit and a special character.
    """
    password = common.secret_of("password", stdin=password_stdin, twice=True)
    with DiditAccount(**common.of_account(address)) as account:
        registered = account.register(email, password)
    if as_json:
        document({"email": registered.email, "message": registered.message})
        return
    say(f"Registered. Didit sends a code to {registered.email}, good for 10 to 15 minutes.")
    say(f"Next: facematch didit verify-email {registered.email}")


@click.command(
    "verify-email", short_help="Hand in the code; the answer is the key, kept in a file."
)
@common.email
@click.option("--code-stdin", is_flag=True, help="Read the code from standard input.")
@common.file_option(
    "--key-file", "Where the key goes; by default didit.key in the user's folder of configuration."
)
@common.force
@click.option("--show-key", is_flag=True, help="Print the key as well.")
@common.address
@common.as_json
def verify_email(
    *,
    email: str,
    code_stdin: bool,
    key_file: Path | None,
    force: bool,
    show_key: bool,
    as_json: bool,
    **address: Any,
) -> None:
    """Hand in the code that Didit sent to EMAIL.

    Didit answers with the application's key. It goes into a file that only you can read.
    """
    path = key_file or usual_key_file()
    replace = common.may_replace(path, force=force)
    code = common.secret_of("code", stdin=code_stdin)
    with (
        private_file(path, replace=replace) as keep,
        DiditAccount(**common.of_account(address)) as account,
    ):
        verified = account.verify_email(email, code)
        keep(verified.api_key)
    if as_json:
        document(verified_document(verified, path, show_key=show_key))
    else:
        show_verified(verified, path, show_key=show_key)


@click.command("resend-code", short_help="Have another code sent.")
@common.email
@common.address
@common.as_json
def resend_code(email: str, as_json: bool, **address: Any) -> None:
    """Have another code sent to EMAIL; a minute must pass between two."""
    with DiditAccount(**common.of_account(address)) as account:
        account.resend_code(email)
    if as_json:
        document({"email": email})
        return
    say(f"Didit sends another code to {email}.")
    say(f"Next: facematch didit verify-email {email}")


@click.command("login", short_help="Check an e-mail address and a password.")
@common.email
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@common.file_option(
    "--token-file", "Write the access token there, for calls of your own; only you can read it."
)
@common.force
@common.address
@common.as_json
def login(
    email: str,
    password_stdin: bool,
    token_file: Path | None,
    force: bool,
    as_json: bool,
    **address: Any,
) -> None:
    """Check that EMAIL and its password are accepted.

    The other commands need the key and not this. After five failures Didit closes the account for
    15 minutes.
    """
    with contextlib.ExitStack() as opened:
        keep = None
        if token_file is not None:
            replace = common.may_replace(token_file, force=force)
            keep = opened.enter_context(private_file(token_file, replace=replace))
        password = common.secret_of("password", stdin=password_stdin)
        account = opened.enter_context(DiditAccount(**common.of_account(address)))
        tokens = account.login(email, password)
        if keep is not None:
            keep(tokens.access_token)
    if as_json:
        path = None if token_file is None else str(token_file)
        document({"expires_in_s": tokens.expires_in_s, "token_file": path})
        return
    say("E-mail address and password are accepted.")
    if token_file is not None:
        lifetime = "" if tokens.expires_in_s is None else f", good for {tokens.expires_in_s:g} s"
        say(f"The access token is in {token_file}{lifetime}; only you can read it.")


# --- balance, top-up ------------------------------------------------------------------------------


@click.command("balance", short_help="Show the credit.")
@common.where
@common.as_json
def balance(as_json: bool, **where: Any) -> None:
    """Show the credit of the organization that the key belongs to, in US dollars."""
    with opened(Where(**where)) as account:
        balance = account.balance()
    if as_json:
        document(balance_document(balance))
        return
    for line in balance_lines(balance):
        say(line)


def balance_lines(balance: Balance) -> Iterator[str]:
    """The credit, and whether it fills itself."""
    yield f"{balance.amount:f} USD"
    if balance.auto_refill:
        amounts = (balance.auto_refill_amount, balance.auto_refill_threshold)
        by, below = (NOTHING if amount is None else f"{amount:f} USD" for amount in amounts)
        yield f"  refilled by {by} below {below}"
    elif balance.auto_refill is not None:
        yield "  not refilled by itself: `facematch didit top-up` makes a payment page"


def balance_document(balance: Balance) -> dict[str, Any]:
    """Amounts as texts, as exact as they came."""
    return {
        "amount": _exact(balance.amount),
        "currency": "USD",
        "auto_refill": balance.auto_refill,
        "auto_refill_amount": _exact(balance.auto_refill_amount),
        "auto_refill_threshold": _exact(balance.auto_refill_threshold),
    }


def _exact(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:f}"


def _amount(_context: click.Context, _option: click.Parameter, typed: str) -> Decimal:
    try:
        return Decimal(typed)
    except InvalidOperation:
        raise click.UsageError(
            f"AMOUNT is in US dollars, as 50 or 75.50, not {typed[:60]!r}."
        ) from None


@click.command("top-up", short_help="Have a payment page made.")
@click.argument("amount", callback=_amount)
@click.option("--success-url", metavar="URL", help="Where the page leads after the payment.")
@click.option("--cancel-url", metavar="URL", help="Where it leads if nothing is paid.")
@common.yes
@common.where
@common.as_json
def top_up(
    amount: Decimal,
    success_url: str | None,
    cancel_url: str | None,
    yes: bool,
    as_json: bool,
    **where: Any,
) -> None:
    """Have a page made on which somebody can pay AMOUNT US dollars, at least 50.

    Nothing is paid, and the balance stays, until somebody pays there. The page's address is
    printed: it shows whose account it is.
    """
    place = Where(**where)
    with opened(place) as account:
        common.confirm(
            f"Have a payment page for {amount:f} USD made, with {place.key_from()}?", yes=yes
        )
        page = account.top_up(amount, success_url=success_url, cancel_url=cancel_url)
    if as_json:
        document({"checkout_id": page.checkout_id, "page": page.page.reveal()})
        return
    say(page.page.reveal())
    say("Nothing is paid until somebody pays there; `facematch didit balance` shows it.", err=True)


# --- setup ----------------------------------------------------------------------------------------


@click.command("setup", short_help="Open an account, or take its key, and write a profile.")
@click.option(
    "--have",
    type=click.Choice(["nothing", "code", "key"]),
    help="What you have: asked if left out.",
)
@click.option("--email", metavar="ADDRESS", help="Asked if left out.")
@click.option(
    "--profile", metavar="NAME", default="didit", show_default=True, help="The new profile."
)
@common.config
@common.file_option(
    "--key-file", "Where the key goes; by default NAME.key in the user's folder of configuration."
)
@click.option(
    "--environment",
    type=click.Choice(["production", "sandbox", "mock"]),
    help="What kind of key it is; production unless said otherwise.",
)
@common.address
@click.option("--show-key", is_flag=True, help="Print the key at the end as well.")
def setup(
    *,
    have: str | None,
    email: str | None,
    profile: str,
    config: str | None,
    key_file: Path | None,
    environment: str | None,
    show_key: bool,
    **address: Any,
) -> None:
    """Go from nothing to a profile that works, step by step.

    Opens an account at Didit, or takes the key of one; writes the key into a file that only you can
    read, and a profile that names the file. Nothing is charged.
    """
    check_name(profile)
    given = common.of_account(address)
    told = {name: given[name] for name in ("base_url", "allow_base_url") if name in given}
    Setup(
        have=have,
        email=email,
        is_named=config is not None,
        file=configuration(config) or folder() / FILE_NAME,
        profile=NewProfile(
            name=profile,
            key_file=key_file or usual_key_file(profile),
            settings=told | ({"environment": environment} if environment else {}),
        ),
        address=given | ({"environment": environment} if environment else {}),
        show_key=show_key,
    ).run()


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
        if not common.is_terminal():
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
        _profile_file.write(self.file, self.profile)
        say(f"The profile {self.profile.name} is in {self.file}.")
        self._end(key)

    # --- with a key ---

    def _key_that_is_there(self) -> Secret:
        path = self.profile.key_file
        if path.exists() and common.agree(
            f"{path} is there already. Use the key in it?", default=True, instead=_INSTEAD
        ):
            key = Secret.from_file(path)
            self._check(key)
            if open_to_others(path):
                say(f"warning: others can read it; `chmod 600 {path}` ends that.", err=True)
            return key
        with self._key_place() as keep:
            key = common.ask_secret("Key (it is not shown)", instead=_INSTEAD)
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
        if not common.agree("Go on with it nevertheless?", instead=_INSTEAD):
            raise click.Abort

    # --- with a new account ---

    def _key_from_didit(self, have: str) -> Secret:
        from facematch_didit.account import DiditAccount

        with self._key_place() as keep, DiditAccount(**self.address) as account:
            if have == "nothing":
                email = self._register(account)
            else:
                email = self.email or common.ask("E-mail address", instead=_INSTEAD)
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
            email = given or common.ask("E-mail address", default=email or None, instead=_INSTEAD)
            return account.register(email, _new_password()).email

        address = _tried(once)
        say(f"Registered. Didit sends a code to {address}, good for 10 to 15 minutes.")
        say(f"If you stop here, go on with: facematch didit setup --have code --email {address}")
        return address

    # --- at the end ---

    @contextlib.contextmanager
    def _key_place(self) -> Iterator[Callable[[Secret], None]]:
        replace = common.may_replace(self.profile.key_file, force=False)
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
    return common.choose("What do you have?", ["nothing", "code", "key"], instead=_INSTEAD)


def _new_password() -> Secret:
    say(f"The password needs {RULES}.")
    while True:
        password = common.ask_secret("Password (it is not shown)", twice=True, instead=_INSTEAD)
        problem = fault(password.reveal())
        if problem is None:
            return password
        say(f"This one lacks: {problem}.", err=True)


def _verified(account: DiditAccount, email: str) -> Secret:
    def once() -> Secret:
        while True:
            typed = common.ask("Code (or `again` for another one)", instead=_INSTEAD)
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


# --- What is said of an account that was just opened ----------------------------------------------


def usual_key_file(profile: str = "didit") -> Path:
    """Where a key goes: beside the user's own configuration, not into a project's folder."""
    return common.folder() / f"{profile}.key"


def show_verified(account: VerifiedAccount, path: Path, *, show_key: bool) -> None:
    """Tell people."""
    say("The address is verified.")
    for name, value in _names(account).items():
        if value is not None:
            say(f"  {name.replace('_', ' ')}: {value}")
    say(f"The key is in {path}; only you can read it.")
    if show_key:
        say_key(account.api_key)
    say("Next: `facematch didit setup --have key` makes a profile with it.")


def say_key(key: Secret) -> None:
    """Print a key, for whoever asked for it."""
    say("Whoever has the key can spend the credit and read what was kept.", err=True)
    say(key.reveal())


def verified_document(account: VerifiedAccount, path: Path, *, show_key: bool) -> dict[str, Any]:
    """The JSON form."""
    shown = {"api_key": account.api_key.reveal()} if show_key else {}
    return {**_names(account), "key_file": str(path), **shown}


def _names(account: VerifiedAccount) -> dict[str, str | None]:
    return {
        "organization_name": account.organization_name,
        "organization_id": account.organization_id,
        "application_name": account.application_name,
        "application_id": account.application_id,
        "client_id": account.client_id,
    }


# --- Didit's rules for passwords ------------------------------------------------------------------
#
# Checked before a try is spent: Didit reports one broken rule at a time, and takes five
# registrations an hour. Didit face-match skill page, early 2026, read 2026-11-20.


LEAST = 8

#: What it needs, and whether a character is that.
_NEEDS: tuple[tuple[str, Callable[[str], bool]], ...] = (
    ("a capital letter", str.isupper),
    ("a small letter", str.islower),
    ("a digit", str.isdigit),
    ("a special character", lambda char: not char.isalnum() and not char.isspace()),
)

RULES = f"at least {LEAST} characters, among them {', '.join(need for need, _ in _NEEDS)}"


def fault(password: str) -> str | None:
    """What a password lacks, all at once; None if nothing."""
    lacks = [need for need, fits in _NEEDS if not any(map(fits, password))]
    if len(password) < LEAST:
        lacks.insert(0, f"at least {LEAST} characters")
    return ", ".join(lacks) or None
