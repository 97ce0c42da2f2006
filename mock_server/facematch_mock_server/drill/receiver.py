"""Without --begin: judge a receiver of webhooks alone, by the statuses that it answers."""

from __future__ import annotations

import attrs

from facematch_core import open_sessions
from facematch_mock_server.base.json_forms import JsonForm
from facematch_mock_server.server import Served
from facematch_mock_server.world.webhooks import SignedPayload, post

from .letters import LetterWriter, is_taken

#: Seconds for which a receiver may take to answer.
_ANSWER_S = 10.0
_FORGERIES = {
    "unsigned": "without a signature",
    "forged": "signed with another secret",
    "changed": "changed after it was signed",
}


@attrs.frozen(kw_only=True)
class Received:
    """What a receiver answered to a webhook.

    Attributes:
        title: What is special about the webhook.
        is_forged: Whether the receiver must refuse it.
        status: The status; None for no answer.
    """

    title: str
    is_forged: bool
    status: int | None

    @property
    def is_right(self) -> bool:
        """Whether it took a genuine webhook, or refused a forged one."""
        return is_taken(self.status) is not self.is_forged


class ReceiverTrial:
    """Sends forged and genuine webhooks about a session to a receiver.

    Attributes:
        received: The answers, in order.
        writer: The JSON writer in whose form the receiver writes a body again before it verifies;
            None if it verifies the bytes, or if its writer is unknown.
    """

    def __init__(self, mock: Served, url: str, secret: str) -> None:
        self._mock = mock
        self._url = url
        self._facts = mock.control.world.vendor.drilled
        self._destination = mock.control.webhooks.add(url, secret=secret, held=True)
        (approved,) = self._facts.approved
        self._letters = LetterWriter(mock=mock, destination=self._destination, approved=approved)
        self.received: list[Received] = []
        self.writer: str | None = None

    @property
    def shows_something(self) -> bool:
        """Whether it took a webhook: else its URL or its secret may be another one."""
        return self.writer is not None or any(is_taken(each.status) for each in self.received)

    def run(self) -> None:
        """Pass a session, and send the webhooks; the forged ones first, which are no duplicates."""
        session_id = start_session(self._mock)
        # The letter outside ASCII finds a receiver that escapes it before it verifies.
        sessions = self._mock.control.world.sessions
        sessions.change(session_id, lambda each: attrs.evolve(each, vendor_data="j\u00f8rgen"))
        (started,) = sessions.all()
        for kind, title in _FORGERIES.items():
            self._judge(title, self._letters.forge(kind, started), is_forged=True)
        self._mock.control.sessions.finish(session_id)
        newest = self._mock.control.webhooks.deliveries()[-1]
        if self._facts.max_age_s is not None:
            age_s = self._facts.max_age_s + 60
            old = self._letters.sign_before(newest, age_s)
            self._judge(f"signed {age_s} s ago", old, is_forged=True)
        payload = self._letters.sign_before(newest, 0)
        self._judge("right", payload, is_forged=False)
        self._judge("the same again", payload, is_forged=False)
        spaced = self._letters.write_as(JsonForm.UNUSUAL, newest)
        self._judge("with unusual spaces in the JSON", spaced, is_forged=False)
        if not self.received[-1].is_right:
            self.writer = self._letters.find_writer(newest, self._post)

    def _post(self, payload: SignedPayload) -> int | None:
        return post(self._url, payload, _ANSWER_S).status

    def _judge(self, title: str, payload: SignedPayload, *, is_forged: bool) -> None:
        status = self._post(payload)
        self.received.append(Received(title=title, is_forged=is_forged, status=status))


def start_session(mock: Served) -> str:
    """Start a session at a vendor's mock with our backend, and return its id."""
    with open_sessions(
        mock.name,
        base_url=mock.url,
        compared_with="document",
        expects=["match"],
        require_environment="mock",
        **mock.control.world.vendor.drilled.settings(mock.client_id, mock.live_key),
    ) as sessions:
        started = sessions.start(sessions.plan("a-customer", purpose="drill"))
    session_id = started.record.session_id
    assert session_id is not None  # noqa: S101 - it is started
    return session_id
