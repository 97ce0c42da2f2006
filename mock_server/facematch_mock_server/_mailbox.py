"""The mails that the vendor would have sent: verbs of the control API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .vendors.didit._records import records_of
from .vendors.didit.accounts._mails import Mail
from .world import World


class Mailbox:
    """Every mailbox that a code went to. In memory only. Safe across threads.

    Args:
        world: Whose vendor writes.
    """

    def __init__(self, world: World) -> None:
        self._world = world

    def mails(self, address: str | None = None) -> tuple[Mail, ...]:
        """Those to an address, in any case, or all for None; the newest 10,000, in order."""
        return records_of(self._world).mails.to(address)

    def code(self, address: str) -> str:
        """The newest code that an address got; LookupError if it got none."""
        mails = self.mails(address)
        if not mails:
            raise LookupError("no mail was sent to that address")
        return mails[-1].code

    def clear(self) -> None:
        """Forget all mails; their codes are as good as before."""
        records_of(self._world).mails.clear()


def _shown(mail: Mail) -> dict[str, Any]:
    return {"at": mail.at.isoformat(), "to": mail.to, "code": mail.code}


def _list(control: Any, address: str, __: dict[str, Any]) -> Any:
    if not address:
        return {"mails": [_shown(mail) for mail in control.mailbox.mails()]}
    code = control.mailbox.code(address)
    return {"mails": [_shown(mail) for mail in control.mailbox.mails(address)], "code": code}


def _clear(control: Any, _: str, body: dict[str, Any]) -> Any:
    if body:
        raise ValueError(f"there is no {min(body)} here; there is nothing")
    control.mailbox.clear()
    return {}


#: By method and path below the prefix of the control API; {} is the address.
VERBS: dict[tuple[str, str], Callable[[Any, str, dict[str, Any]], Any]] = {
    ("GET", "mailbox"): _list,
    ("GET", "mailbox/{}"): _list,
    ("POST", "mailbox/clear"): _clear,
}
