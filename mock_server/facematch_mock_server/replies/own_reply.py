"""An own reply: the requests that it answers, and what it answers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import attrs

from facematch_core.backend.kinds import suggest_name
from facematch_mock_server.base.messages import Request, Response

from .conditions import RequestPattern
from .node import Node
from .pictures import digest_pictures
from .response_template import ResponseTemplate
from .templates import Filling

_MAPPING = ("request", "response", "metadata", "priority", "name", "id", "uuid", "persistent")
_SCENARIO = ("scenarioName", "requiredScenarioState", "newScenarioState")
_METADATA = ("vendor", "instead", "recorded", "host", "sent", "pictures", "salt")
#: The names in a document: those of one mapping, and of a list of mappings.
MAPPING_NAMES = (*_MAPPING, *_SCENARIO, "mappings", "meta")
#: The state in which every scenario begins.
STARTED = "Started"
_USUAL_PRIORITY = 5


@attrs.frozen(kw_only=True)
class Scenario:
    """How equal requests are answered in turn.

    Attributes:
        name: The name of the scenario, whose state all its replies share.
        required_state: The state in which the reply answers; None for every state.
        new_state: The state that follows the answer; None to keep it.
    """

    name: str
    required_state: str | None
    new_state: str | None


@attrs.frozen(kw_only=True)
class RecordedCall:
    """What a recorded reply knows of the call at the vendor.

    Attributes:
        day: The day of the call.
        host: The host that answered; None if unknown.
        sent: The request, with stand-ins for private values; None if unknown.
        pictures: The digests of the request's pictures, by `digest_pictures`.
        salt: The salt of these digests.
    """

    day: dt.date
    host: str | None
    sent: Mapping[str, Any] | None
    pictures: tuple[str, ...]
    salt: str


@attrs.frozen(kw_only=True, eq=False, repr=False)
class OwnReply:
    """A reply that the user wrote, or that was recorded at a vendor.

    Attributes:
        mapping: The mapping as it was given, as JSON.
        source: Its place, for the journal: ``own.json #2``.
        request: The requests that it answers.
        response: What it answers.
        priority: The reply with the lowest number answers.
        scenario: None if it does not depend on earlier calls.
        vendor: The vendor whose requests it answers; None for any.
        is_instead: Whether it answers also what the mock imitates.
        recording: None if the user wrote it.
    """

    mapping: Mapping[str, Any]
    source: str
    request: RequestPattern
    response: ResponseTemplate
    priority: int
    scenario: Scenario | None
    vendor: str | None
    is_instead: bool
    recording: RecordedCall | None

    @classmethod
    def read(cls, mapping: Any, source: str, folders: Sequence[Path] = ()) -> Self:
        """Read a mapping of JSON values. Raises ValueError for what this mock does not know.

        `folders` are those of the files that it may name.
        """
        node = Node(mapping, source)
        parts = node.object((*_MAPPING, *_SCENARIO))
        for name in ("request", "response"):
            if name not in parts:
                node.refuse(f"it must have a {name}")
        metadata = parts["metadata"].object(_METADATA) if "metadata" in parts else {}
        request = RequestPattern.read(parts["request"])
        priority = _USUAL_PRIORITY
        if "priority" in parts:
            priority = parts["priority"].whole_number(1, 1_000_000_000)
        return cls(
            mapping=mapping,
            source=source,
            request=request,
            response=ResponseTemplate.read(parts["response"], request.path.groupindex, folders),
            priority=priority,
            scenario=_read_scenario(node, parts),
            vendor=_text(metadata, "vendor"),
            is_instead="instead" in metadata and metadata["instead"].flag(),
            recording=_read_recording(metadata),
        )

    @property
    def recorded(self) -> str | None:
        """The day of the call at the vendor, ISO 8601; None if the user wrote the reply."""
        return None if self.recording is None else self.recording.day.isoformat()

    @property
    def hint(self) -> str:
        """What the header, the journal and the console say of a call that it answered."""
        if self.recorded is None:
            return f"own reply, not the mock's: {self.source}"
        return f"recorded on {self.recorded} at the vendor, not the mock's: {self.source}"

    def check_vendor(self, names: Collection[str]) -> None:
        """Raise ValueError if it is for a vendor that is none of these."""
        if self.vendor is not None and self.vendor not in names:
            node = Node(self.vendor, self.source, "metadata.vendor")
            node.refuse(f"unknown vendor {self.vendor!r:.40}; {suggest_name(self.vendor, names)}")

    def fits(self, request: Request) -> bool:
        """Return whether it may answer a request, apart from vendor and scenario."""
        if not self.request.fits(request):
            return False
        recording = self.recording
        # A verdict about one picture is none about another.
        return recording is None or recording.pictures == digest_pictures(request, recording.salt)

    def explain_silence(self, request: Request, *, is_imitated: bool) -> str:
        """Return the hint of a call with the reply's method and path that it does not answer."""
        if is_imitated and not self.is_instead and self.fits(request):
            return f'{self.source} does not answer what the mock imitates: give it "instead": true'
        if not self.request.fits(request):
            return f"{self.source} has this path, but not all of its conditions fit"
        if self.recording is not None and not self.fits(request):
            return f"{self.source} does not answer: it was recorded with other pictures"
        return f"{self.source} does not answer: its scenario is in another state"

    def answer(self, filling: Filling) -> Response:
        """Return the answer to a request that fits. Raises ValueError if it cannot be filled."""
        match = self.request.match_path(filling.request)
        assert match is not None  # noqa: S101 - the request fits
        return self.response.fill(attrs.evolve(filling, path_values=match.groupdict()))

    def to_dict(self) -> dict[str, Any]:
        """Return the reply as the control API shows it."""
        return {"source": self.source, "mapping": dict(self.mapping)}

    def __repr__(self) -> str:
        return f"OwnReply({self.source}, {self.request.method or 'ANY'} {self.request.shown_path})"


def _text(nodes: Mapping[str, Node], name: str) -> str | None:
    return nodes[name].text() if name in nodes else None


def _read_scenario(node: Node, parts: Mapping[str, Node]) -> Scenario | None:
    name = _text(parts, "scenarioName")
    required_state = _text(parts, "requiredScenarioState")
    new_state = _text(parts, "newScenarioState")
    if name is None:
        if required_state is not None or new_state is not None:
            node.refuse("a state needs a scenarioName")
        return None
    return Scenario(name=name, required_state=required_state, new_state=new_state)


def _read_recording(metadata: Mapping[str, Node]) -> RecordedCall | None:
    """Return the facts of a recorded call; None if the reply was not recorded.

    Refuse a day of another form, and facts of a recording without a day.
    """
    if "recorded" not in metadata:
        for name in ("host", "sent", "pictures", "salt"):
            if name in metadata:
                metadata[name].refuse("only a recording has it: add recorded, its day")
        return None
    try:
        day = dt.date.fromisoformat(metadata["recorded"].text())
    except ValueError:
        metadata["recorded"].refuse("it must be a day, YYYY-MM-DD")
    digests = metadata["pictures"].items() if "pictures" in metadata else []
    if "sent" in metadata:
        metadata["sent"].object()
    return RecordedCall(
        day=day,
        host=_text(metadata, "host"),
        sent=metadata["sent"].value if "sent" in metadata else None,
        pictures=tuple(digest.text() for digest in digests),
        salt=_text(metadata, "salt") or "",
    )
