"""A vendor in this process: an adapter of requests with answers of the test's own."""

import io
import json

import requests
import urllib3
from requests.adapters import BaseAdapter


def response(status, body=b"", headers=()):
    """An answer as requests gives it; a body that is not bytes is sent as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    reply = requests.Response()
    reply.status_code = status
    reply.headers.update(headers or ())
    reply.raw = urllib3.HTTPResponse(io.BytesIO(data), status=status, preload_content=False)
    return reply


class ScriptedAdapter(BaseAdapter):
    """Gives its answers in turn, the last one again and again, and keeps the requests.

    An answer is (status, body[, headers]), an error to raise, or a function of the request.
    """

    def __init__(self, *answers):
        super().__init__()
        self.answers = list(answers)
        self.seen = []

    def send(self, request, **_):
        self.seen.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if callable(answer):
            answer = answer(request)
        if isinstance(answer, BaseException):
            raise answer
        return response(*answer)

    def close(self):
        pass

    @property
    def sent(self):
        return [
            (request.method, request.url, json.loads(request.body) if request.body else None)
            for request in self.seen
        ]
