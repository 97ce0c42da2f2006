"""What an account keeps: applicants with their uploads, logins and webhooks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import attrs

from facematch_mock_server.base.state import Collection
from facematch_mock_server.vendors.tokens import TokenRecords
from facematch_mock_server.world.accounts import World

ENVIRONMENTS = ["sandbox", "live"]


@attrs.frozen(kw_only=True)
class Applicant:
    """A person.

    Attributes:
        id: The applicant's id.
        fields: The values as sent, by Onfido's names. Not in `repr`.
        created_at: The time of creation, UTC.
        is_sandbox: Whether a sandbox token created the applicant.
        is_deleted: Whether the applicant was deleted.
    """

    id: str
    fields: Mapping[str, Any] = attrs.field(repr=False)
    created_at: dt.datetime
    is_sandbox: bool
    is_deleted: bool = False


@attrs.frozen(kw_only=True)
class Uploaded:
    """A document or live photo of an applicant.

    Attributes:
        id: The upload's id.
        kind: The name of its list: ``documents`` or ``live_photos``.
        applicant_id: The applicant.
        created_at: The time of the upload, UTC.
        digest: The SHA-256 of the file.
        file_name, file_type, file_size: The name as sent, ``jpg``, ``png`` or ``pdf``, and the
            bytes. The name is not in `repr`.
        fields: Further values as sent, by Onfido's names; None if not sent.
    """

    id: str
    kind: str
    applicant_id: str
    created_at: dt.datetime
    digest: str
    file_name: str = attrs.field(repr=False)
    file_type: str
    file_size: int
    fields: Mapping[str, str | None]


class OnfidoRecords(TokenRecords):
    """The applicants of one world with their uploads, and the tokens of its logins."""

    def __init__(self) -> None:
        super().__init__()
        self.applicants: Collection[Applicant] = Collection(limit=10_000)
        self.uploads: Collection[Uploaded] = Collection(limit=10_000)
        #: The environments whose events a webhook gets, by the webhook's id.
        self.environments_of_webhook: Collection[list[str]] = Collection()


def receivers_of(world: World, *, is_live: bool) -> frozenset[str]:
    """Return the ids of the webhooks that get the events of an environment."""
    environment = "live" if is_live else "sandbox"
    ids = set()
    for destination in world.outbox.destinations.all():
        # A webhook that the control added, or that names no environment, gets the events of both.
        environments = world.records.environments_of_webhook.find(destination.uuid)
        if environment in (environments or ENVIRONMENTS):
            ids.add(destination.uuid)
    return frozenset(ids)
