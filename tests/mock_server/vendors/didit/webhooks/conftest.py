import pytest
from kit.mock_webhooks import HOOK, carry
from kit.mock_world import control_of, control_request, new_engine
from vendors import didit

from facematch_core import WebhookRefused
from facematch_didit import verify_webhook


class World:
    """An engine with one destination, its verbs, and calls that are announced there."""

    def __init__(self, **settings):
        self.app = new_engine(**settings)
        self.webhooks = control_of(self.app).webhooks
        self.destination = self.webhooks.add(HOOK)

    def call(self, times=1):
        before = len(self.webhooks.deliveries())
        for _ in range(times):
            self.app.handle(didit.match_request())
        return [delivery.id for delivery in self.webhooks.deliveries()][before:]

    def letters(self, *answers):
        return [letter for _, letter, _ in carry(self.app, *answers)]

    @property
    def newest(self):
        return self.webhooks.delivery(self.webhooks.deliveries()[-1].id)

    def advance(self, seconds):
        self.app.world.clock.advance(seconds)

    def ask(self, path, body=None):
        response = self.app.handle(control_request(f"webhooks/{path}", body))
        return response.status, response.json()

    def accept(self, letter):
        now = self.app.world.clock.now()
        return verify_webhook(letter.body, dict(letter.headers), self.destination.secret, now)

    def refusal(self, letter):
        with pytest.raises(WebhookRefused) as refused:
            self.accept(letter)
        return refused.value.http_status


@pytest.fixture
def open_world():
    return World


@pytest.fixture
def world():
    return World()
