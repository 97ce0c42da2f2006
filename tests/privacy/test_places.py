import datetime as dt
import hashlib
import hmac
import json
import logging
import os
from pathlib import Path

import pytest
import requests
import tomli_w
from kit import canaries, traces
from kit.fakes import invoke_facematch
from kit.watched import CALLERS, CALLERS_DATA, KEPT, METHODS, VENDORS, echo, hits, tokens, watch
from PIL import Image as Pillow

from facematch_core import CallLog, FaceVerifier, Shadow, WebhookRefused
from facematch_core.cli.demo import PACKAGED
from facematch_didit import DiditAccount, verify_webhook
from facematch_local import LocalBackend
from facematch_mock_server import Fault, Kind, MockServer, Stage
from facematch_mock_server.control import operations_of
from facematch_mock_server.vendors import vendor_named


@pytest.fixture
def folder(world, tmp_path, monkeypatch):
    """A project with both vendors, whose keys come from the environment, and two pictures."""
    monkeypatch.setenv("DIDIT_API_KEY", canaries.API_KEY)
    monkeypatch.setenv("DEEPVUE_CLIENT_ID", canaries.CLIENT_ID)
    monkeypatch.setenv("DEEPVUE_CLIENT_SECRET", canaries.CLIENT_SECRET)
    monkeypatch.setenv("FACEMATCH_CONFIG", "facematch.toml")
    monkeypatch.chdir(tmp_path)
    settings = {"base_url": world.url}
    profiles = {name: {"backend": name, "settings": settings} for name in VENDORS}
    Path("facematch.toml").write_text(tomli_w.dumps({"profiles": profiles}))
    Path("probe.tiff").write_bytes(canaries.probe().data)
    Path("reference.png").write_bytes(canaries.reference().data)
    Path("pairs.csv").write_text("probe,reference\n" + "probe.tiff,reference.png\n" * 4)
    return tmp_path


def run(*words):
    answer = invoke_facematch(*words)
    return traces.of_text(words[0], answer.output), answer.exit_code


def test_batch_output_leaks_nothing(world, folder, each_vendor):
    for status in (422, 500, 200):
        rule = {"status": status, "body": echo(each_vendor), "path": each_vendor.paths[0]}
        world.control.add_fault(Fault(stage=Stage.ANSWER, kind=Kind.JSON, **rule))
    words = ("--profile", each_vendor.name, "--out", "out.jsonl", "--workers", "1", "--yes")
    texts, code = run("verify", "--pairs", "pairs.csv", *words)
    written = Path("out.jsonl").read_text()
    outcomes = [json.loads(line) for line in written.splitlines()]
    assert [row["error"] is not None for row in outcomes] == [True, True, True, False]
    assert code
    assert hits(texts | traces.of_text("JSONL", written)) == {}


def test_command_output_leaks_nothing(folder, each_vendor):
    texts = {}
    for words in (
        ("verify", "probe.tiff", "reference.png"),
        ("verify", "probe.tiff", "reference.png", "--json"),
        ("liveness", "probe.tiff", "--json"),
        ("doctor",),
        ("backends",),
    ):
        where = () if words[0] == "backends" else ("--profile", each_vendor.name)
        printed, _ = run(*words, *where)
        texts |= {f"{words[0]} {len(texts)}": text for text in printed.values()}
    assert hits(texts) == {}


@pytest.mark.usefixtures("local_models")
def test_the_demo_page_contains_no_part_of_a_photograph(folder):
    names = ("grace-hopper.jpg", "eileen-collins.jpg")
    secrets = {}
    for name in names:
        tags = Pillow.Exif()
        tags[270] = canaries.HIDDEN
        with Pillow.open(PACKAGED / name) as opened:
            opened.save(folder / name, "JPEG", exif=tags, quality=95)
        data = (folder / name).read_bytes()
        assert canaries.HIDDEN.encode() in data
        secrets[name] = tuple(data[at : at + 12] for at in range(5000, len(data) - 12, 5000))
    pairs = f"probe,reference,expected,note\n{','.join(names)},different,two\n"
    Path("pairs.csv").write_text(pairs)
    texts, code = run("demo", "--photographs", ".", "--out", "report.html")
    assert code == 0
    assert os.name == "nt" or Path("report.html").stat().st_mode & 0o777 == 0o600
    texts |= traces.of_text("HTML", Path("report.html").read_text())
    assert len(texts["HTML"]) > 10_000
    assert hits(texts) == {}
    assert canaries.leaks(texts, secrets) == {}


@pytest.mark.usefixtures("local_models")
def test_the_local_backend_leaks_nothing(watch_call):
    photo = PACKAGED / "grace-hopper.jpg"
    data = photo.read_bytes()
    events = []
    with FaceVerifier(LocalBackend(), on_event=events.append) as verifier:
        for pictures in (None, (photo, photo), (canaries.probe().data[:-9], photo)):
            _, texts = watch_call(verifier, events, pictures=pictures, **CALLERS_DATA)
            assert hits(texts) == {}
            assert canaries.leaks(texts, {"photo": (data[5000:5012], data[9000:9012])}) == {}


def test_ctrl_c_in_the_local_backend_leaks_nothing(watch_call, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    events = []
    backend = LocalBackend()
    monkeypatch.setattr("facematch_local.engine.Engine.look", interrupted)
    with FaceVerifier(backend, on_event=events.append) as verifier:
        ended, texts = watch_call(verifier, events)
    assert isinstance(ended, KeyboardInterrupt)
    assert hits(texts) == {}


def test_a_mock_reveals_only_webhook_secrets_and_its_state():
    """On purpose: who drives a mock signs deliveries of their own, and begins another mock with the
    keys that a client has."""
    with MockServer(vendor=list(VENDORS), seed=5) as mock:
        mock.control.add_key(key=canaries.API_KEY)
        deepvue = mock.of("deepvue").control
        deepvue.add_key(key=canaries.CLIENT_SECRET, client=canaries.CLIENT_ID)
        secrets = canaries.canaries()
        for vendor in VENDORS.values():
            with FaceVerifier(vendor.backend(mock.url)) as verifier:
                for name in METHODS:
                    watch(verifier, [], name, **KEPT if vendor.keeps else {})
                secrets |= tokens(verifier.backend)
        with DiditAccount(api_key=canaries.API_KEY, base_url=mock.url) as account:
            row = mock.control.webhooks.add("http://127.0.0.1:9/hook")
            secrets["secret of a destination"] = (row.secret.encode(),)
            kept = account.decision(mock.control.sessions.all()[0].id)
            url = f"{mock.url}/v3/session/{kept.session_id}/decision/"
            answer = requests.get(url, headers={"x-api-key": canaries.API_KEY}, timeout=10).json()
            media = answer["face_matches"] or answer["liveness_checks"]
            address = media[0].get("source_image") or media[0]["reference_image"]
            secrets["signature of a media address"] = (address.rpartition("=")[2].encode(),)
            texts = traces.of_objects(account, row, kept)
        for vendor in VENDORS:
            for method, verb in operations_of(vendor_named(vendor)):
                if method == "GET" and "{}" not in verb:
                    url = mock.of(vendor).control_url + verb
                    answer = requests.get(url, timeout=10)
                    assert answer.status_code == 200
                    texts[f"{vendor}/{verb}"] = answer.text
        texts |= traces.of_text("journal", repr(mock.control.journal()))
        texts |= traces.of_objects(mock, mock.world, mock.control, mock.app)
    # The id of a client is a name, which the list of keys shows.
    secrets.pop("client id")
    leaks = canaries.leaks(texts, secrets)
    assert set(leaks) == {("didit/webhooks/destinations", "secret of a destination")}


def test_webhooks_and_their_rejection_leak_nothing(caplog):
    caplog.set_level(logging.DEBUG)
    at = dt.datetime(2026, 7, 2, tzinfo=dt.UTC)
    document = {"timestamp": int(at.timestamp()), "webhook_type": "status.updated"}
    document |= {"metadata": canaries.METADATA, "vendor_data": canaries.CALLER_REF}
    body = json.dumps(document | {"decision": {"source_image": canaries.MEDIA}}).encode()
    signature = hmac.new(canaries.WEBHOOK_SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {"X-Signature": signature}
    event = verify_webhook(body, headers, canaries.WEBHOOK_SECRET, at)
    texts = {"repr": repr(event)} | traces.of_log(caplog.records)
    for more in ({"secrets": "another"}, {"now": at + dt.timedelta(days=1)}):
        arguments = {"secrets": canaries.WEBHOOK_SECRET, "now": at} | more
        with pytest.raises(WebhookRefused) as caught:
            verify_webhook(body, headers, **arguments)
        texts[f"refusal {more}"] = f"{caught.value} {caught.value!r}"
    secrets = canaries.canaries() | CALLERS | {"signature": (signature.encode(),)}
    assert canaries.leaks(texts, secrets) == {}


@pytest.mark.parametrize("fault", [None, "reset", "echo"])
def test_a_shadow_and_its_log_leak_nothing(world, watch_call, tmp_path, fault):
    """In files, logs and what is open, however the candidate's call ends."""
    second = VENDORS["deepvue"]
    if fault == "reset":
        world.of("deepvue").control.add_fault(Fault(stage=Stage.MID_BODY, kind=Kind.RESET))
    elif fault == "echo":
        rule = {"status": 500, "body": echo(second), "path": second.paths[0], "times": None}
        world.control.add_fault(Fault(stage=Stage.ANSWER, kind=Kind.JSON, **rule))
    events = []
    log = CallLog(f"sqlite:///{tmp_path}/calls.sqlite3", key=canaries.WEBHOOK_SECRET)
    candidate = FaceVerifier(second.backend(world.url), on_event=events.append)
    shadow = Shadow(
        FaceVerifier(VENDORS["didit"].backend(world.url), on_event=events.append),
        candidate,
        log=log,
        fraction=1,
    )
    _, texts = watch_call(shadow, events, "verify", **CALLERS_DATA)
    assert shadow.wait(30)
    assert sum(shadow.counts.values()) == 1
    assert len(log.rows()) == 2
    shadow.close()
    for path in tmp_path.glob("calls.sqlite3*"):
        texts[f"log, {path.name}"] = path.read_bytes()
    assert hits(texts, backend=candidate.backend) == {}
