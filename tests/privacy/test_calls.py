"""No key, token, picture or media address in anything that a call leaves behind, however it ends.

Searched: logs of every library at DEBUG, errors with the local variables of their frames, results
and their JSON, events, `repr` of what is open, and what was printed.
"""

import base64

import pytest
from kit import canaries, traces
from kit.fakes import FakeBackend
from kit.money.lines import LOGIN
from kit.rawserver import closed_port
from kit.strategies_images import CANARY, jpeg_with_secrets, quartered
from kit.watched import CALLERS_DATA, KEPT, METHODS, VENDORS, echo, hits, tokens

from facematch_core import Environment, FaceVerifier, Image, Secret, errors
from facematch_core.backend import ImageFormat, ImageLimits
from facematch_core.http import transport
from facematch_core.testing import find_leaks
from facematch_mock_server import Fault, Kind, Stage
from facematch_mock_server.world.faults import POSSIBLE

PRODUCTION = Environment.PRODUCTION
#: Statuses that a careless vendor answers with.
STATUSES = (200, 302, 400, 401, 403, 422, 429, 503)
CALLS = [(vendor, name) for vendor in VENDORS.values() for name in METHODS]


@pytest.fixture
def ask(world, watch_call):
    """Opens a backend, makes a call, and looks for canaries: how it ended, and the hits."""
    opened = []

    def make(vendor, name="verify", *, url=None, require=None, **options):
        events = []
        backend = vendor.backend(url or world.url)
        verifier = FaceVerifier(backend, on_event=events.append, require_environment=require)
        opened.append(verifier)
        ended, texts = watch_call(verifier, events, name, **options)
        return ended, hits(texts, backend=backend, limits=vendor.limits())

    yield make
    for verifier in opened:
        verifier.close()


def name_of(value):
    return getattr(value, "name", str(value))


@pytest.mark.parametrize(("vendor", "name"), CALLS, ids=name_of)
@pytest.mark.parametrize("same", [True, False], ids=["pass", "decline"])
def test_a_successful_call_leaks_nothing(world, ask, vendor, name, same):
    """Of each kind, with a verdict for and against, with a caller's data, kept if it can be."""
    control = world.of(vendor.name).control
    for kind in ("match", "liveness"):
        control.set_outcome(kind, score=99 if same else 3, times=None)
    ended, leaks = ask(vendor, name, **CALLERS_DATA, **(KEPT if vendor.keeps else {}))
    assert not isinstance(ended, Exception)
    assert leaks == {}


#: As a phone, a scanner and an editor write them, each with what nobody else may see.
WRITTEN = {
    "JPEG": (Image.from_bytes(jpeg_with_secrets(quartered(), 6)), CANARY),
    "TIFF": (canaries.probe(), canaries.HIDDEN),
    "PNG": (canaries.reference(), canaries.HIDDEN),
}


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize(
    ("written", "fit"),
    [("JPEG", True), ("JPEG", False), ("PNG", True), ("PNG", False), ("TIFF", True)],
)
def test_backends_receive_pictures_without_metadata(name, written, fit):
    """Whichever it is, in either place, also where it may not be shrunk."""
    picture, secret = WRITTEN[written]
    backend = FakeBackend(image_limits=ImageLimits(formats=set(ImageFormat)))
    with FaceVerifier(backend, fit_images=fit) as verifier:
        ask = getattr(verifier, name)
        if name == "check_liveness":
            ask(picture)
        else:
            ask(picture, picture)
    handed = [call.probe for call in backend.calls]
    handed += [call.reference for call in backend.calls if hasattr(call, "reference")]
    assert len(handed) == {"verify": 2, "check_liveness": 1, "verify_live": 3}[name]
    for image in handed:
        assert find_leaks(secret, image.data) == ()
        assert image.upright_size == picture.upright_size


def repeating(vendor, status, path, token=""):
    """A fault: an answer that repeats everything that was sent."""
    body = {name: f"{token}{text}" for name, text in echo(vendor).items()}
    return Fault(stage="answer", kind="json", status=status, body=body, path=path, times=None)


@pytest.mark.parametrize("vendor", VENDORS.values(), ids=name_of)
@pytest.mark.parametrize("name", ["verify", "check_liveness"])
@pytest.mark.parametrize("status", STATUSES)
def test_a_response_that_echoes_the_request_leaks_nothing(world, ask, vendor, name, status):
    """What breaks on the way is in money/test_faults, and watched there."""
    world.control.add_fault(repeating(vendor, status, vendor.paths[name != "verify"]))
    ended, leaks = ask(vendor, name, **CALLERS_DATA)
    assert isinstance(ended, errors.VendorError)
    assert leaks == {}


def faults_of_a_login():
    """Yield what does not take any time at each stage on the wire, and answers that echo."""
    for stage, kinds in POSSIBLE.items():
        path = None if stage is Stage.CONNECT else LOGIN
        if stage is not Stage.ANSWER:
            for kind in sorted(kinds - {Kind.DELAY, Kind.DRIBBLE}):
                yield Fault(stage=stage, kind=kind, path=path)
    for status in STATUSES:
        yield repeating(VENDORS["deepvue"], status, LOGIN)


@pytest.mark.parametrize(
    "fault",
    list(faults_of_a_login()),
    ids=lambda fault: f"{fault.stage}-{fault.kind}-{fault.status}",
)
def test_a_failed_login_leaks_nothing(world, ask, fault):
    """Deepvue's login carries the key in its body."""
    world.control.add_fault(fault)
    _, leaks = ask(VENDORS["deepvue"])
    assert leaks == {}


@pytest.mark.parametrize(("vendor", "name"), CALLS, ids=name_of)
@pytest.mark.parametrize("number", [1, 2])
def test_an_interrupted_call_leaks_nothing(ask, monkeypatch, vendor, name, number):
    """In the middle of the first or second answer, a login's or a call's."""
    read = transport.read_body
    seen = []

    def interrupted(*arguments):
        seen.append(1)
        if len(seen) == number:
            raise KeyboardInterrupt
        return read(*arguments)

    monkeypatch.setattr(transport, "read_body", interrupted)
    ended, leaks = ask(vendor, name)
    assert isinstance(ended, KeyboardInterrupt) is (len(seen) == number)
    assert seen
    assert leaks == {}


def probe(make):
    """What to ask of any vendor: to compare what `make` makes of the picture's bytes."""
    return lambda _: {"pictures": (make(canaries.probe().data), canaries.reference())}


#: What is refused: the class of the error, and what to ask of a vendor.
REFUSALS = {
    "a threshold out of range": (errors.InvalidRequest, lambda v: {"threshold": 150}),
    "an option that cannot be passed on": (errors.Unsupported, lambda v: v.unsupported),
    "a broken picture": (errors.InvalidImage, probe(lambda data: data[:-900])),
    "a picture behind other bytes": (errors.InvalidImage, probe(lambda data: b"x" * 50 + data)),
    "a picture in base64": (errors.InvalidImage, probe(base64.b64encode)),
    "a picture as text": (errors.InvalidImage, probe(lambda _: canaries.API_KEY)),
    "another environment": (errors.EnvironmentMismatch, lambda v: {"require": PRODUCTION}),
}


@pytest.mark.parametrize("vendor", VENDORS.values(), ids=name_of)
@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_refused_call_leaks_nothing(ask, vendor, refusal):
    """Before it is sent, or when its answer is not wanted."""
    error, options = REFUSALS[refusal]
    ended, leaks = ask(vendor, **CALLERS_DATA | options(vendor))
    assert type(ended) is error
    assert leaks == {}


@pytest.mark.parametrize("status", STATUSES)
def test_a_response_that_echoes_the_token_leaks_nothing(world, watch_call, status):
    """It was given out by the login before; the vendor's answer has it in every field."""
    vendor = VENDORS["deepvue"]
    events = []
    backend = vendor.backend(world.url)
    with FaceVerifier(backend, on_event=events.append) as verifier:
        watch_call(verifier, events)
        (token,) = tokens(backend)["token"]
        world.control.add_fault(repeating(vendor, status, "/v1/facematch", f"{token.decode()} "))
        ended, texts = watch_call(verifier, events)
        assert isinstance(ended, errors.VendorError)
        assert canaries.leaks(texts, {"token": (token,)}) == {}
        assert hits(texts, backend=backend) == {}


@pytest.mark.parametrize("vendor", VENDORS.values(), ids=name_of)
def test_a_refused_connection_leaks_nothing(ask, vendor):
    with closed_port() as port:
        ended, leaks = ask(vendor, url=f"http://127.0.0.1:{port}")
    assert type(ended) is errors.VendorUnavailable
    assert leaks == {}


@pytest.mark.parametrize(
    ("vendor", "settings", "has_key"),
    [
        # Somebody put the key into the wrong place.
        ("didit", {"base_url": f"https://{canaries.API_KEY}@example.org"}, True),
        ("didit", {"environment": canaries.API_KEY}, True),
        ("didit", {"api_key": canaries.API_KEY.encode()}, True),
        ("deepvue", {"client_secret": [canaries.CLIENT_SECRET]}, True),
        ("deepvue", {"api_version": canaries.CLIENT_SECRET}, True),
        ("deepvue", {"plan": canaries.CLIENT_ID}, True),
        ("didit", {"read_timeout_s": -1}, False),
        ("didit", {"base_url": "https://example.org"}, False),
        ("deepvue", {"max_file_bytes": 0}, False),
        ("deepvue", {"plan": "none"}, False),
    ],
)
def test_an_invalid_setting_leaks_nothing(vendor, settings, has_key):
    keys = {name: Secret(text) for name, text in VENDORS[vendor].keys.items()}
    with pytest.raises(errors.ConfigurationError) as caught:
        VENDORS[vendor].kind(**keys | settings)
    texts = traces.of_error(caught.value)
    if has_key:
        # A constructor that was given a key as plain text has it in its frame, as its caller has.
        assert texts.pop("error, frames")
    assert hits(texts) == {}


def test_pillows_log_leaks_nothing(ask, caplog):
    """The metadata of a picture is in no log of a library that we use, either."""
    ask(VENDORS["didit"])
    assert canaries.leaks(traces.of_log(caplog.records), canaries.canaries()) == {}
