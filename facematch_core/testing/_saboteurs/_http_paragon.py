"""The paragon once more, as a backend that talks HTTP and has settings; still without a socket.

What is wrong with the reading of an answer's bytes, or with a setting, can only be shown on one of
this kind.
"""

from __future__ import annotations

import json
from typing import ClassVar

import attrs

from facematch_core import (
    Billing,
    Charged,
    ConfigurationError,
    DeadlineExceeded,
    OutcomeUnknown,
    Secret,
    VendorUnavailable,
)
from facematch_core.http import (
    HttpBackend,
    HttpClient,
    HttpReply,
    HttpRequest,
    check_base_url,
)

from ._paragon import KEY, ParagonBackend, ParagonDouble, Vendor

HOST = "api.paragon.example"


class Courier(HttpClient):
    """Carries requests to the vendor in this process, and tells failures as a real client does."""

    def __init__(self, vendor):
        super().__init__()
        self.vendor = vendor
        self.closed = False

    def send(
        self,
        request,
        *,
        backend,
        deadline_s=None,
        on_sent=None,
        reconcilable=False,
        call_id=None,
    ):
        if self.closed:
            raise ConfigurationError("This HTTP client is closed: open a new one.")
        outcome = self._carried(request, deadline_s, on_sent)
        # The frame that raises lives on with the error.
        del request, on_sent
        if isinstance(outcome, HttpReply):
            return outcome
        raise outcome

    def _carried(self, request, deadline_s, on_sent):
        try:
            self.vendor.connect()
        except ConnectionRefusedError:
            return VendorUnavailable("Paragon cannot be reached.", billing=Billing(Charged.NO))
        on_sent()
        try:
            status, body = self.vendor.ask(request.json, deadline_s)
        except TimeoutError:
            return DeadlineExceeded("Paragon did not answer in time.")
        except ConnectionResetError:
            return OutcomeUnknown("Paragon's answer is lost.")
        return HttpReply(status=status, body=json.dumps(body).encode(), secrets=request.secrets)

    def close(self):
        self.closed = True
        super().close()


@attrs.define(kw_only=True, eq=False, slots=False)
class HttpParagon(HttpBackend, ParagonBackend):
    """Keeps every rule."""

    environment_variables: ClassVar = {"api_key": "PARAGON_API_KEY"}
    allowed_hosts: ClassVar = frozenset({HOST})

    api_key: Secret = attrs.field(converter=Secret.of)
    base_url: str = f"https://{HOST}"
    patience_s: float = 30.0

    def __attrs_post_init__(self):
        self.check_key()
        self.check_address()
        self.check_patience()

    def check_key(self):
        if not self.api_key.reveal():
            raise ConfigurationError("api_key is empty.")

    def check_address(self):
        check_base_url(self.base_url, allowed_hosts=self.allowed_hosts)

    def check_patience(self):
        if isinstance(self.patience_s, bool) or not isinstance(self.patience_s, (int, float)):
            raise ConfigurationError("patience_s must be a number of seconds.")

    def make_client(self):
        # Opened without a double: nobody is there to be asked.
        return Courier(Vendor())

    @property
    def vendor(self):
        return self.client.vendor

    @property
    def key(self):
        return self.api_key

    def build(self, call):
        # It never becomes text: the courier hands it over as it is.
        return HttpRequest(
            url=f"{self.base_url}/{call.operation}",
            headers={"X-Api-Key": self.api_key},
            json=self.request(call),
        )

    def parse(self, call, reply):
        result = self.result(call, self.body(reply))
        self.keep(call, result)
        return result

    def body(self, reply):
        return reply.json()


class HttpParagonDouble(ParagonDouble):
    """The same vendor, asked by a courier."""

    def __init__(self, backend_class=HttpParagon):
        super().__init__(backend_class)

    def backend(self, **settings):
        backend = self.backend_class(**{"api_key": KEY} | settings)
        # As `make_client` would leave it.
        vars(backend)["_client"] = Courier(self.vendor)
        return backend
