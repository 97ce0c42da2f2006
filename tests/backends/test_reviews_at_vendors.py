"""A person's decision about sessions of each vendor: its own no is never overridden."""

import contextlib
import datetime as dt

import pytest

import facematch_core as fm
from facematch_core import open_sessions
from facematch_mock_server import MockServer, make_card
from facematch_mock_server.vendors import vendor_named

pytestmark = pytest.mark.slow

ADA = fm.Person(name="Ada Byron", date_of_birth=dt.date(1980, 1, 1))
STAFF = {"by": "staff-7", "reason": "called back"}
CASE = {"purpose": "payout", "about": "payout 8841"}
#: The vendors that read a document, and how their sessions are opened.
SETTINGS = {
    "stripe": {"expects": ["match"]},
    "persona": {"template_id": "itmpl_p8ANAJy9iqadm2buF2xcVgqH"},
    "onfido": {
        "workflow_id": "5025d9fd-7842-4805-bce1-a7bfd7131b4e",
        "face_output": "selfie",
        "document_output": "doc",
    },
    "veriff": {"environment": "mock", "solution": "document_selfie"},
    "sumsub": {"level_name": "basic-kyc-level"},
}
DIDIT = {
    "workflow_id": "5d1f6e0a-1f4b-4c55-9a7e-3d1d6a2f9c10",
    "workflow_takes_reference": True,
    "environment": "mock",
}


def keys_of(vendor, mock):
    if vendor == "stripe":
        return {"api_key": mock.control.add_key(key="rk_test_shop", kind="sandbox")}
    if vendor == "onfido":
        return {"api_token": mock.live_key}
    if vendor == "veriff":
        return {"api_key": mock.client_id, "shared_secret": mock.live_key}
    if vendor == "sumsub":
        return {"app_token": mock.client_id, "secret_key": mock.live_key}
    return {"api_key": mock.live_key}


class Shop:
    """A store of one vendor's sessions, at a mock of the vendor."""

    def __init__(self, vendor, stack, address):
        self.vendor = vendor
        mock = stack.enter_context(MockServer(vendor=vendor))
        self.control = mock.control.sessions
        settings = DIDIT if vendor == "didit" else {"compared_with": "document", **SETTINGS[vendor]}
        sessions = open_sessions(
            vendor,
            base_url=mock.url,
            require_environment="mock",
            **keys_of(vendor, mock),
            **settings,
        )
        self.person = ADA
        store = fm.SessionStore(address, sessions, person=lambda _customer: self.person)
        self.store = stack.enter_context(store)
        self.case = self.store.of("customer-17", **CASE)
        self.session_id = None

    def finish(self, name="A. BYRON", born=ADA.date_of_birth):
        """Let the person finish a session, with this on the document, and read it."""
        self.submit(name, born)
        return self.read()

    def submit(self, name="A. BYRON", born=ADA.date_of_birth):
        if self.vendor == "didit":
            card = make_card("ada")
            begun = self.case.begin(reference=card, review_threshold=99.9)
            self.session_id = begun.record.session_id
            self.control.finish(self.session_id, card=card)
            return
        self.case.begin()
        (session,) = self.control.open()
        self.session_id = session.id
        self.show(name, born)
        try:
            self.control.finish(self.session_id, "p1-again", document="p1")
        except TypeError:  # a vendor whose mock takes the document by itself
            self.control.finish(self.session_id, "p1")

    def show(self, name, born=ADA.date_of_birth):
        self.control.document(self.session_id, full_name=name, date_of_birth=born)

    def read(self):
        self.store.set_due("customer-17")
        self.store.look()
        return self.case.find()

    def decide(self):
        return self.case.decide(evidence=self.case.find().evidence, accept=True, **STAFF)

    def use(self):
        return self.case.use(max_age_s=3600)


@pytest.fixture
def open_shop(address):
    with contextlib.ExitStack() as stack:
        yield lambda vendor: Shop(vendor, stack, address)


@pytest.mark.parametrize("vendor", SETTINGS)
def test_incomplete_name_is_for_a_person_and_counts_as_it_was_compared(open_shop, vendor):
    shop = open_shop(vendor)
    found = shop.finish()
    assert found.result.name_agreement == "incomplete"
    assert found.result.is_refused is False
    shop.decide()
    shop.person = fm.Person(name="Anna Byron", date_of_birth=ADA.date_of_birth)
    assert shop.use() is fm.Use.NO  # the account was renamed
    shop.person = ADA
    shop.show("A. M. BYRON")
    assert shop.use() is fm.Use.NO
    shop.show("A. BYRON")
    assert shop.use() is fm.Use.FIRST


@pytest.mark.parametrize(
    ("name", "born"),
    [("BOB JONES", ADA.date_of_birth), ("A. BYRON", dt.date(1981, 2, 2))],
    ids=["another name", "another birth date"],
)
@pytest.mark.parametrize("vendor", SETTINGS)
def test_document_of_another_person_is_for_nobody(open_shop, vendor, name, born):
    shop = open_shop(vendor)
    assert shop.finish(name, born).evidence is None
    assert shop.use() is fm.Use.NO


#: Words of vendors that are no, or not yet a verdict.
WORDS = {
    "didit": ["Declined", "In Review", "Expired", "Abandoned", "Resubmitted"],
    "persona": ["failed", "declined"],
    "onfido": ["declined", "review"],
    "veriff": ["declined", "resubmission_requested", "expired"],
    "sumsub": ["completed RED", "completed RED RETRY", "completed RED FINAL"],
    "stripe": ["requires_input document_expired", "canceled"],
}


@pytest.mark.parametrize(
    ("vendor", "word"), [(vendor, word) for vendor, words in WORDS.items() for word in words]
)
def test_vendors_own_no_is_for_nobody_and_ends_an_acceptance(open_shop, vendor, word):
    shop = open_shop(vendor)
    shop.finish()
    shop.decide()
    shop.control.decide(shop.session_id, word)
    assert shop.use() is fm.Use.NO
    found = shop.read()
    assert found.evidence is None
    with pytest.raises(fm.VerdictChanged):
        shop.case.decide(evidence="0" * 64, accept=True, **STAFF)
    assert shop.use() is fm.Use.NO


@pytest.mark.parametrize("vendor", ["didit", "persona", "onfido", "sumsub", "veriff"])
def test_customer_who_comes_back_during_the_vendors_review_starts_no_other_session(
    open_shop, vendor
):
    shop = open_shop(vendor)
    shop.submit("ADA BYRON")
    facts = vendor_named(vendor).drilled
    shop.control.decide(shop.session_id, "needs_review" if vendor == "persona" else facts.review)
    shop.read()
    begun = shop.case.begin(reference=make_card("ada"))
    assert (begun.record.session_id, begun.access) == (shop.session_id, None)
    assert len(shop.control.all()) == 1
    shop.control.decide(shop.session_id, next(iter(facts.approved)))
    found = shop.read()
    assert (found.result.state, found.result.is_refused) == (fm.SessionState.DECIDED, False)


@pytest.mark.parametrize("vendor", ["didit", "persona", "onfido", "veriff"])
def test_vendors_refusal_after_a_use_revokes_it(open_shop, vendor):
    shop = open_shop(vendor)
    shop.finish()
    shop.decide()
    assert shop.use() is fm.Use.FIRST
    shop.control.decide(shop.session_id, WORDS[vendor][-1 if vendor == "persona" else 0])
    shop.store.look()
    assert shop.case.find().is_revoked
