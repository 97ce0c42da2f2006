"""The real vendor, or a mock over HTTP, as the target: each request is sent once."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from facematch_core import Charged, ConfigurationError, VendorError
from facematch_core.http import MOCK_HEADER, HttpReply, HttpRequest, retry_after_s

from ._playing import Unanswered
from ._requests import WRONG_KEY, to_vendor
from ._script import Script, Shown
from ._talking import Answer, Asked

if TYPE_CHECKING:
    from facematch_core import Secret
    from facematch_core.http import HttpClient

    from ._pictures import Pictures

#: Longest wait for one answer; a call that is given up may have been charged.
_DEADLINE_S = 180.0


class LiveTarget:
    """Asks one account of a vendor.

    Args:
        client: Sends; its rules of addresses, time-outs and secrets hold.
        script: What is asked.
        key: Of the account.
        base_url: Where to ask, checked, without a slash at its end.
        pictures: What is sent as files.
        only_mock: Whether only a mock may answer.

    Attributes:
        is_mock: Whether a mock answered; None before the first answer.
    """

    def __init__(
        self,
        client: HttpClient,
        script: Script,
        *,
        key: Secret,
        base_url: str,
        pictures: Pictures,
        only_mock: bool,
    ) -> None:
        from facematch_core import Secret

        self._client, self._script, self._base_url = client, script, base_url
        self._keys = {Shown.OWN: key, Shown.WRONG: Secret(WRONG_KEY)}
        self._pictures, self._only_mock = pictures, only_mock
        self.is_mock: bool | None = None

    def send(self, asked: Asked) -> Answer:
        """The answer to one request, sent once.

        Raises:
            Unanswered: there is none.
            ConfigurationError: nothing can be sent, or what answers should be a mock and is none.
        """
        request = to_vendor(
            asked,
            self._keys.get(asked.key),
            self._script.key_header,
            base_url=self._base_url,
            pictures=self._pictures.files,
        )
        answer = _answer(self._reply(request))
        is_mock = MOCK_HEADER.lower() in answer.headers
        if self._only_mock and not is_mock:
            raise ConfigurationError(
                "What answers on this machine does not say that it is a mock, and may lead to the "
                "real vendor: nothing more was sent. Start the mock, or ask the vendor with --live."
            )
        self.is_mock = is_mock
        return answer

    def delete(self, path: str) -> bool:
        """Whether what the path names is gone."""
        request = HttpRequest(
            method="DELETE",
            url=self._base_url + path,
            headers={self._script.key_header: self._keys[Shown.OWN]},
        )
        try:
            status = self._reply(request).status
        except Unanswered:
            return False
        return status < 300 or status == 404

    def wait_s(self, answer: Answer) -> float | None:
        """What a 429 asks for."""
        reply = HttpReply(status=answer.status, headers=answer.headers)
        return retry_after_s(reply, dt.datetime.now(dt.UTC))

    def _reply(self, request: HttpRequest) -> HttpReply:
        try:
            return self._client.send(
                request, backend=self._script.vendor, deadline_s=_DEADLINE_S, reconcilable=False
            )
        except VendorError as error:
            words, paid = error.message, error.billing.charged is not Charged.NO
        raise Unanswered(words, may_be_paid=paid)


def _answer(reply: HttpReply) -> Answer:
    headers = {name.lower(): value for name, value in reply.headers.items()}
    return Answer(status=reply.status, headers=headers, body=reply.body)
