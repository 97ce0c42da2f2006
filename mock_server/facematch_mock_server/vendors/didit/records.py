"""What Didit remembers beyond keys, credit and sessions: pictures, payments, accounts."""

from __future__ import annotations

import datetime as dt
import enum
import uuid
from decimal import Decimal
from typing import Any

import attrs

from facematch_mock_server.base.state import Collection
from facematch_mock_server.world.kinds import Records
from facematch_mock_server.world.webhooks import Outbox

APPROVED, DECLINED, IN_REVIEW = "Approved", "Declined", "In Review"
#: The words for the status of a session (Didit OpenAPI, 2026-07-18).
STATUSES = (
    *("Not Started", "In Progress", "Awaiting User", IN_REVIEW, APPROVED, DECLINED),
    *("Resubmitted", "Expired", "Kyc Expired", "Abandoned"),
)
#: How many of the newest reviews of a session are kept: no source names a limit.
KEPT_REVIEWS = 100

#: Of checkouts, accounts and mails: how many of the newest are kept.
MOST_RECORDS = 10_000


class DiditRecords(Records):
    """The further state of one world. Safe across threads."""

    def __init__(self) -> None:
        self.outbox: Outbox = Outbox()
        self.checkouts: Collection[Checkout] = Collection(limit=MOST_RECORDS)
        self.plan = Plan()
        #: By address in small letters.
        self.accounts: Collection[Account] = Collection(limit=MOST_RECORDS)
        self.mails: Collection[Mail] = Collection(limit=MOST_RECORDS)
        self.workflows: Collection[Workflow] = Collection(limit=MOST_RECORDS)
        #: The `vendor_data` of users that may start no session.
        self.blocked: Collection[str] = Collection(limit=MOST_RECORDS)

    def close(self) -> None:
        """Nobody is known here any more; mails go, and payloads, which are long."""
        self.accounts.clear()
        self.mails.clear()
        self.outbox.forget_payloads()

    def list_readable(self) -> tuple[Any, ...]:
        return self.outbox.deliveries.all(), self.checkouts.all()


def _read_id(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except (ValueError, AttributeError, TypeError):
        raise ValueError(f"a workflow's id is a UUID, not {text!r:.40}") from None


def _choice(*words: str, **others: str) -> Any:
    return attrs.field(
        default=words[0],
        converter=lambda word: others.get(word, word),
        validator=attrs.validators.in_(words),
    )


@attrs.frozen(kw_only=True)
class Workflow:
    """A published workflow: which steps its sessions have.

    Attributes:
        id: Its UUID.
        kind: ``biometric`` (a face, compared with one that is there before), which is Didit's
            ``biometric_authentication``, or ``kyc`` (with a document).
        version: From 1 on; it grows each time that it is published.
        method: How liveness is checked: ``PASSIVE``, ``FLASHING`` or ``ACTIVE_3D``.
        callback: Where persons are sent whose session has no address of its own; None for nowhere.
    """

    id: str = attrs.field(converter=_read_id)
    kind: str = _choice("biometric", "kyc", biometric_authentication="biometric")
    version: int = attrs.field(default=1, validator=attrs.validators.ge(1))
    method: str = _choice("PASSIVE", "FLASHING", "ACTIVE_3D")
    callback: str | None = attrs.field(default=None, repr=False)


class CheckoutStatus(enum.StrEnum):
    """What became of a payment."""

    OPEN = "open"
    SETTLED = "settled"
    CANCELED = "canceled"


@attrs.frozen(kw_only=True)
class Checkout:
    """One payment that was asked for.

    Attributes:
        id: As in the answer.
        amount: In USD.
        created_at: When it was asked for, UTC.
        success_url, cancel_url: Where a person is sent afterwards.
        status: What became of it.
        settled_at: When it was paid, UTC; None for not yet.
    """

    id: str
    amount: Decimal
    created_at: dt.datetime
    success_url: str
    cancel_url: str
    status: CheckoutStatus = CheckoutStatus.OPEN
    settled_at: dt.datetime | None = None


@attrs.frozen(kw_only=True)
class Plan:
    """How an organization pays.

    Attributes:
        annual: Whether it has an annual plan, and so no payment pages.
        refill_amount: What is paid in by itself, in USD; None for no refill. It is shown only: the
            mock pays nothing in by itself.
        refill_threshold: Below which balance, in USD; None for no refill.
    """

    annual: bool = False
    refill_amount: Decimal | None = None
    refill_threshold: Decimal | None = None


@attrs.frozen(kw_only=True)
class Account:
    """One person; of password and newest code there is a digest."""

    email: str
    password: str = attrs.field(repr=False)
    #: None once it was used.
    code: str | None = attrs.field(default=None, repr=False)
    code_at: dt.datetime
    #: The account of the server that was opened for it; None until the mailbox was proved.
    organization: str | None = None


@attrs.frozen(kw_only=True)
class Mail:
    """One mail that a vendor would have sent.

    Attributes:
        at: When, UTC.
        to: To which address.
        code: What it says.
        number: Its place among the mails, from 1 on.
    """

    at: dt.datetime
    to: str
    code: str = attrs.field(repr=False)
    number: int = 0
