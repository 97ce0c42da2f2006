"""CompreFace: requests to its mock as clients send them, and its simulator."""

import base64

import attrs
from kit import mock_world
from kit.mock_world import multipart, request_to, scene
from kit.scenario import BIG, Scenario, answer_with_fault

from facematch_core.testing import Situation
from facematch_mock_server.testing import MockSimulator
from facematch_mock_server.vendors.compreface.calls import FACES, RECOGNIZE, SUBJECTS
from facematch_mock_server.vendors.compreface.vendor import (
    DETECT,
    DETECTION_KEY,
    KEY,
    RECOGNITION_KEY,
)

__all__ = ["DETECT", "DETECTION_KEY", "FACES", "KEY", "RECOGNITION_KEY", "RECOGNIZE", "SUBJECTS"]
PATH = "/api/v1/verification/verify"
OPTIONS = "face_plugins=landmarks,mask&status=true&det_prob_threshold=0.8"
SERVICE_KEY = "5b8a4d2e-7c1f-4e0a-9d63-2f1c8b7a6e05"


def verification_request(source=None, target=None, *, key=KEY, query="", names=("a.jpg", "b.png")):
    """A comparison; a picture that is False is left out."""
    pictures = [scene() if picture is None else picture for picture in (source, target)]
    files = [
        (field, name, content)
        for field, name, content in zip(
            ("source_image", "target_image"), names, pictures, strict=True
        )
        if content is not False
    ]
    return request_to(f"{PATH}{query}", *multipart(files=files), key=key)


def json_request(query="", **more):
    """The same with both pictures in Base64, and fields over them; one that is None is left out."""
    text = base64.b64encode(scene()).decode()
    fields = {"source_image": text, "target_image": text, **more}
    body = {name: value for name, value in fields.items() if value is not None}
    return mock_world.json_request(f"{PATH}{query}", body, key=KEY)


def request_of_type(kind, body=b"source_image=1", key=KEY):
    return request_to(PATH, body, kind, key=key)


def file_request(path, content=None, *, key=RECOGNITION_KEY, name="a.jpg", query=""):
    """One picture as a file."""
    files = [("file", name, scene() if content is None else content)]
    return request_to(f"{path}{query}", *multipart(files=files), key=key)


def add_example(subject="ada", content=None, **more):
    return file_request(FACES, content, query=f"?subject={subject}", **more)


def recognize(content=None, query="", **more):
    return file_request(RECOGNIZE, content, query=query, **more)


def detect(content=None, query="", **more):
    return file_request(DETECT, content, key=DETECTION_KEY, query=query, **more)


def ask(method, path, body=None, *, key=RECOGNITION_KEY):
    """A request with a JSON body, or with none."""
    if body is None:
        return request_to(path, method=method, key=key)
    return mock_world.json_request(path, body, method=method, key=key)


def deleting_an_example(engine):
    """A step that adds an example, and deletes it."""
    added = engine.handle(add_example("grace")).json()
    return engine.handle(ask("DELETE", f"{FACES}/{added['image_id']}"))


def scenarios():
    """Return the calls of claims/test_cited.py: an answer has each claim."""
    calls = (
        ask("POST", SUBJECTS, {"subject": "ada"}),
        ask("POST", SUBJECTS, {"subject": "ada"}),
        ask("POST", SUBJECTS, {"subject": " "}),
        ask("POST", SUBJECTS, {"subject": "a" * 51}),
        ask("POST", SUBJECTS, {"subject": "a;b"}),
        ask("PUT", f"{SUBJECTS}/ada", {"subject": "lovelace"}),
        ask("DELETE", f"{SUBJECTS}/ada"),
        ask("DELETE", f"{SUBJECTS}/ada"),
        ask("GET", f"{SUBJECTS}/"),
        file_request(FACES),
        add_example("%20"),
        add_example("grace"),
        ask("GET", FACES),
        deleting_an_example,
        ask("DELETE", f"{FACES}/00000000-0000-4000-8000-00000000000a"),
        ask("DELETE", FACES),
        recognize(),
        attrs.evolve(recognize(), method="OPTIONS", headers=(("origin", "https://a.example"),)),
        recognize(query="?prediction_count=0"),
        recognize(key=KEY),
        detect(),
        file_request(DETECT),
        verification_request(scene(faces=2)),
        verification_request(scene(faces=2), scene(faces=3), query="?limit=1"),
        verification_request(query=f"?{OPTIONS}"),
        verification_request(scene(faces=0)),
        verification_request(key=None),
        verification_request(key="wrong"),
        verification_request(key=SERVICE_KEY),
        verification_request(target=False),
        verification_request(names=("a.jpg", "b.heic")),
        verification_request(b"x" * BIG),
        verification_request(query="?limit=-1"),
        json_request(source_image=None),
        json_request(target_image="data:image/png;base64,AAAA"),
        attrs.evolve(json_request(), body=b"["),
        attrs.evolve(verification_request(), method="PUT"),
        answer_with_fault(400, verification_request()),
        answer_with_fault(500, verification_request()),
        answer_with_fault(503, verification_request()),
        request_of_type("text/plain"),
        request_of_type("application/json", b" " * (10 * 1024 * 1024 + 1)),
    )
    return [
        Scenario("compreface", calls),
    ]


# The simulator of CompreFace: the mock server in the place of a server of one's own.


class ComprefaceSimulator(MockSimulator):
    vendor = "compreface"
    calls = frozenset({"/api/v1/verification/verify"})
    pictures = {"source_image": "probe", "target_image": "reference"}
    cannot_happen = {
        Situation.NO_CREDIT: "CompreFace charges nobody.",
        Situation.THROTTLED: "CompreFace limits nobody.",
        Situation.SPOOF: "CompreFace has no liveness check.",
    }
    secrets = ("5b8a4d2e-7c1f-4e0a-9d63-2f1c8b7a6e05",)
    keys = {"api_key": secrets[0], "plugins": "landmarks,mask,pose"}

    def pictures_for(self, situation):
        probe, reference = super().pictures_for(situation)
        if situation is Situation.SMALLER_FACE_MATCHES:
            # CompreFace refuses several faces in the probe, and scores each of the reference.
            return reference, probe
        return probe, reference

    def alter(self, request, body):
        for match in body["result"][0]["face_matches"]:
            self.put_score(match, "similarity", fraction=True)
        return body
