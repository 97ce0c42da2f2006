"""Sequences of everything that may happen to sessions, drawn at random, with faults in between.

Whatever happens: no more is charged than was counted, and nobody is verified but for whom, and for
what, somebody went through and passed.
"""

import contextlib
import itertools
import random

import attrs
import pytest
from kit.cards import CARDS as PICTURES
from kit.money.sessions import BACKENDS, WEBHOOK_SECRETS, SessionWorld

import facematch_core as fm
from facematch_mock_server import Fault

STEPS = 15
#: By card: whether who shows it passes.
CARDS = {"p1": True, "p1-again": True, "attack": False, "not-live": False}
SUBJECTS = [f"customer-{number}" for number in range(3)]
PURPOSES = [("login", None), ("payout", "payout 1"), ("payout", "payout 2")]
FAULTS = [
    *(("mid_upload", "reset", {}), ("mid_body", "truncate", {}), ("answer", "html", {})),
    ("after_upload", "reset", {"executed": True}),
    *(("answer", "status", {"status": status}) for status in (401, 404, 429, 500, 503)),
]


@attrs.define
class Storm:
    """One caller of one vendor, with the records that it has written down."""

    world: SessionWorld
    luck: random.Random
    records: list = attrs.field(factory=list)
    #: Ids of the vendor's sessions in which somebody passed.
    passed: set = attrs.field(factory=set)

    def run(self):
        steps = [getattr(self, name) for name in dir(self) if name.startswith("do_")]
        steps += [self.do_act] * 3 + [self.do_read] * 4
        self.do_start()
        for _ in range(STEPS):
            self.luck.choice(steps)()
            if self.luck.random() < 0.3:
                stage, kind, more = self.luck.choice(FAULTS)
                call = self.luck.choice(["session_start", "session_read"])
                self.world.control.add_fault(Fault(stage=stage, kind=kind, call=call, **more))
        counted = self.world.counted().split()
        # A start counts once; Stripe charges each try in its session.
        charged = {charge.request_id for charge in self.world.control.charges()}
        assert len(charged) <= len(counted)
        if self.world.vendor != "stripe":
            assert len(self.world.control.charges()) == len(charged)
        assert len(self.world.control.sessions.all()) <= len(counted)

    def ask(self, method, record, **more):
        try:
            return getattr(self.world.sessions, method)(record, **more)
        except (fm.VendorError, fm.InvalidRequest, fm.Unsupported):
            return None

    def do_start(self):
        purpose, about = self.luck.choice(PURPOSES)
        subject = self.luck.choice(SUBJECTS)
        self.records.append(self.world.plan(subject, purpose=purpose, about=about))
        self.do_start_again(-1)

    def do_start_again(self, place=None):
        place = self.luck.randrange(len(self.records)) if place is None else place
        session = self.ask("start", self.records[place])
        self.records[place] = self.records[place] if session is None else session.record

    def do_come_back(self):
        self.ask("read", self.luck.choice(self.records), with_access=True)

    def do_delete(self):
        self.ask("delete", self.luck.choice(self.records))

    def do_act(self):
        """Somebody does something in some open session, whoever it was started for."""
        control = self.world.control.sessions
        for session in itertools.islice(control.open(), 1):
            card = self.luck.choice([*CARDS, None])
            if card is None:
                self.luck.choice([control.expire, control.fail_attempt])(session.id)
                continue
            control.finish(session.id, card=PICTURES[card])
            self.passed |= {session.id} if CARDS[card] else set()

    def do_wait(self):
        self.world.control.advance(self.luck.choice([1, 100, 4000]))

    def do_receive(self):
        """Any delivery so far, whatever came since: once more, forged, or too late."""
        if not self.world.control.world.outbox:
            return
        receive = self.world.sessions.receive
        webhooks = self.world.control.webhooks
        for row in self.luck.sample(sent := webhooks.deliveries(), min(2, len(sent))):
            letter = webhooks.delivery(row.id)
            with contextlib.suppress(fm.WebhookRefused):
                hints = receive(letter.body, letter.headers)
                assert hints == receive(letter.body, letter.headers)
                # A delivery about a verification names no record.
                named = {hint.record_id for hint in hints} - {None}
                assert named <= {each.id for each in self.records}
            with pytest.raises(fm.WebhookRefused):
                receive(letter.body.swapcase(), letter.headers)

    def do_read(self):
        """One that is read may be a thief's: with the id of somebody else's session."""
        record = self.luck.choice(self.records)
        other = self.luck.choice(self.records)
        if self.luck.random() < 0.3:
            record = attrs.evolve(record, session_id=other.session_id)
        result = self.ask("read", record)
        if result is None:
            return
        session_id = result.record.session_id
        owners = {each.id: each.vendor_data for each in self.world.control.sessions.all()}
        for subject, (purpose, about) in itertools.product(SUBJECTS, PURPOSES):
            if result.is_verified_for(subject, purpose=purpose, about=about, max_age_s=3600):
                mine = (record.subject_ref, record.purpose, record.about)
                assert mine == (subject, purpose, about)
                assert session_id in self.passed
                # Only Didit keeps it as `vendor_data`.
                assert owners[session_id] in (record.id, None)


def storm(vendor, seed):
    world = SessionWorld(vendor, ("budget",), cap=1000)
    try:
        if vendor in WEBHOOK_SECRETS:
            url = "http://127.0.0.1:9/"
            world.control.webhooks.add(url, secret=WEBHOOK_SECRETS[vendor])
        Storm(world, random.Random(seed)).run()
    finally:
        world.close()


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [range(5), pytest.param(range(5, 700), marks=pytest.mark.slow)])
@pytest.mark.parametrize("vendor", BACKENDS)
def test_storms(vendor, seeds):
    for seed in seeds:
        storm(vendor, seed)
