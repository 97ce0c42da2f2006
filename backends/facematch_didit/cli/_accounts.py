"""What is said of an account that was just opened."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from facematch_core import Secret

from . import _places
from ._printing import say

if TYPE_CHECKING:
    from facematch_didit.account import VerifiedAccount


def usual_key_file(profile: str = "didit") -> Path:
    """Where a key goes: beside the user's own configuration, not into a project's folder."""
    return _places.folder() / f"{profile}.key"


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
