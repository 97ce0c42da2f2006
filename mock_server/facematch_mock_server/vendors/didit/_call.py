"""One call while it is answered, and the endpoints as data."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import attrs

from facematch_mock_server._keys import Key
from facematch_mock_server._messages import Request
from facematch_mock_server.claims import Told
from facematch_mock_server.forms import Form, Upload
from facematch_mock_server.index import Identity
from facematch_mock_server.outcomes import LivenessOutcome, MatchOutcome
from facematch_mock_server.world import World

from ._fields import Field

Outcome = MatchOutcome | LivenessOutcome


@attrs.define(kw_only=True)
class Call:
    """One call.

    Attributes:
        world, request, told: What it is answered with.
        endpoint: Whom it is for.
        now: When it is answered.
        headers: That every answer to it carries.
        key: The key, once it was found good; None before, and without one.
        key_word: For the journal.
        form: None until it was read.
        values: The fields, once they were read; their defaults before.
        outcome: What was seen in the pictures; None until they were looked at.
        identity: Who is in the first picture; None until somebody asked.
        aside: What its session keeps beside the answer's part, or instead.
    """

    world: World
    request: Request
    told: Told
    endpoint: Endpoint
    now: dt.datetime
    headers: tuple[tuple[str, str], ...] = ()
    key: Key | None = None
    key_word: str = "none"
    form: Form | None = None
    values: dict[str, Any] = attrs.field(factory=dict)
    outcome: Any = None
    identity: Identity | None = None
    aside: dict[str, Any] = attrs.field(factory=dict)

    def upload(self, field: str) -> Upload:
        """A file that was checked."""
        upload: Upload = self.values[field]
        return upload

    @property
    def saved(self) -> bool:
        """Whether the caller wants the call kept."""
        return bool(self.values["save_api_request"])


@attrs.frozen(kw_only=True)
class Endpoint:
    """A picture endpoint.

    Attributes:
        path: Of the endpoint.
        name: Prefix of its behaviours, ``match`` say.
        block: Key of its part of the answer.
        renamed: The behaviour that is this key, where editions differ; None for none.
        fields: Of its form, in the order of the documents.
        decide: Looks at the pictures.
        undecodable: Whether a picture of the outcome is none at all.
        scored: Whether there was anything to judge.
        faceless: The behaviour that refuses pictures with nothing to judge; None to judge them.
        judge: Makes the answer's part from what was seen.
        canned: Makes the answer's part for a sandbox key.
    """

    path: str
    name: str
    block: str
    fields: tuple[Field, ...]
    decide: Callable[[Call], Outcome]
    undecodable: Callable[[Any], bool]
    scored: Callable[[Any], bool]
    judge: Callable[[Call], dict[str, Any]]
    canned: Callable[[Told], dict[str, Any]]
    renamed: str | None = None
    faceless: str | None = None

    def key(self, told: Told) -> str:
        """The key of its part of the answer."""
        return self.block if self.renamed is None else str(told[self.renamed])
