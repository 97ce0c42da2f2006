"""A recording has no face template: nobody finds the person among strangers by it."""

import base64
import itertools
import json
import math
import random
import re
import struct
from pathlib import Path
from urllib.parse import urlencode

import pytest
from kit.cards import CARDS
from kit.commands import invoke_facematch
from urllib3.filepost import encode_multipart_formdata

import facematch_mock_server.vendors
from facematch_mock_server import MockServer
from facematch_mock_server.base.messages import Request, Response
from facematch_mock_server.replies.face_templates import is_encoded_template, is_face_template
from facematch_mock_server.replies.recorder import Recorder
from facematch_mock_server.replies.recording_file import RecordingFile
from facematch_mock_server.replies.upstream import Upstream
from facematch_mock_server.replies.vocabulary import Vocabulary

VENDORS = Path(facematch_mock_server.vendors.__file__).parent
SIZE = 64


def embed(person, photograph):
    """Return the embedding of one of a person's photographs; 0.9 alike the person's others."""
    of_person = random.Random(f"person {person}")
    of_photograph = random.Random(f"photograph {person} {photograph}")
    return [of_person.gauss(0, 1) + of_photograph.gauss(0, 0.3) for _ in range(SIZE)]


def packed(template, form="f"):
    return struct.pack(f"<{len(template)}{form}", *template)


def encoded(content):
    return base64.b64encode(content).decode()


def in_npy(template):
    head = b"\x93NUMPY\x01\0v\0{'descr': '<f4', 'fortran_order': False, 'shape': (128,), }"
    return head.ljust(128) + packed(template)


def batched(template, size):
    return [template[start : start + size] for start in range(0, len(template), size)]


#: What a body has in place of an embedding.
JSON_FORMS = {
    "list": lambda template: template,
    "rounded": lambda template: [round(value, 2) for value in template],
    "whole": lambda template: [round(value * 100) for value in template],
    "with its model": lambda template: ["ArcFace", *template],
    "nested": lambda template: batched(template, 16),
    "short parts": lambda template: [{"values": part} for part in batched(template, 8)],
    "points": lambda template: [
        {"x": x, "y": y} for x, y in zip(template[::2], template[1::2], strict=True)
    ],
    "landmarks": lambda template: [
        {"type": f"chin_{number}", "x": x, "y": y}
        for number, (x, y) in enumerate(zip(template[::2], template[1::2], strict=True))
    ],
    "landmarks with spaces": lambda template: [
        {"type": "left eye-brow", "x": x, "y": y}
        for x, y in zip(template[::2], template[1::2], strict=True)
    ],
    "landmarks with a place": lambda template: [
        {"type": "CHIN_LEFT", "position": {"x": x, "y": y}}
        for x, y in zip(template[::2], template[1::2], strict=True)
    ],
    "named points": lambda template: {
        f"contour_{number}": {"x": x, "y": y}
        for number, (x, y) in enumerate(zip(template[::2], template[1::2], strict=True))
    },
    "by name": lambda template: {"model": "x", **{f"d{i}": v for i, v in enumerate(template)}},
    "texts": lambda template: [f"{value:.4f}" for value in template],
    "one text": lambda template: ",".join(map(str, template)),
    "spaced text": lambda template: " ".join(f"{value:.2f}" for value in template),
    "JSON in a text": json.dumps,
    "base64": lambda template: encoded(packed(template)),
    "base64 of doubles": lambda template: encoded(packed(template, "d")),
    "base64 for addresses": lambda template: base64.urlsafe_b64encode(packed(template)).decode(),
    "base64 of .npy": lambda template: encoded(in_npy(template)),
    "base64 of JSON": lambda template: encoded(json.dumps(template).encode()),
    "base64 of base64": lambda template: encoded(encoded(packed(template)).encode()),
    "data URI": lambda template: f"data:application/x-npy;base64,{encoded(packed(template))}",
    "hexadecimal": lambda template: packed(template).hex(),
}
NAMES = ("embedding", "img1", "score", "message", "result", "x", "vector.0")
JSON_TYPE = ("Content-Type", "application/json")


class Recording:
    """A recording of calls that were made up here."""

    def __init__(self, folder):
        vocabulary = Vocabulary.read([*VENDORS.glob("*.py"), *(VENDORS / "deepface").rglob("*.py")])
        self.file = RecordingFile(
            folder / "recording.json",
            vocabulary,
            show_host=lambda _: "127.0.0.1:5005",
        )

    def call(self, *, target="/represent", sent=b"", content_type="", answer=b"", answer_type=""):
        request = Request.make(
            method="POST", target=target, headers=[("Content-Type", content_type)], body=sent
        )
        headers = (("Content-Type", answer_type),)
        response = Response(status=200, headers=headers, body=answer)
        self.file.add("deepface", "127.0.0.1", request, response)

    def call_with_json(self, sent, answer):
        self.call(
            sent=json.dumps(sent).encode(),
            content_type="application/json",
            answer=json.dumps(answer).encode(),
            answer_type="application/json",
        )

    @property
    def text(self):
        return self.file.path.read_text("utf-8")

    @property
    def answers(self):
        return [mapping["response"]["jsonBody"] for mapping in json.loads(self.text)["mappings"]]


def numbers_of(value):
    """Yield the numbers in a JSON value, in order, also those in its texts."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from numbers_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from numbers_of(inner)
    elif isinstance(value, str):
        yield from map(float, re.findall(r"-?\d+\.\d+", value))
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield float(value)


def texts_of(value):
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from texts_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts_of(inner)
    elif isinstance(value, str):
        yield value


def decode_url_safe(text):
    # urlsafe_b64decode warns about the two other characters.
    return base64.b64decode(text.replace("-", "+").replace("_", "/"))


def decoded(text, depth=2):
    """Yield what a text may be in bytes, also if it was encoded twice."""
    for decode in (base64.b64decode, decode_url_safe, bytes.fromhex):
        try:
            content = decode(text.rpartition(",")[2])
        except ValueError:
            continue
        yield content
        if content.isascii() and depth > 1:
            yield from decoded(content.decode(), depth - 1)
            yield from (packed([float(n) for n in re.findall(rb"-?\d+\.\d+", content)]),)


def vectors_in(text):
    """Yield each run of as many numbers as a template has, however it is written."""
    runs = []
    for mapping in json.loads(text)["mappings"]:
        runs.append(list(numbers_of(mapping)))
        for written in texts_of(mapping):
            for content in decoded(written):
                for form, size in (("f", 4), ("d", 8)):
                    for start in range(size):
                        part = content[start:]
                        count = len(part) // size
                        runs.append(list(struct.unpack_from(f"<{count}{form}", part)))
    for run in runs:
        for start in range(len(run) - SIZE + 1):
            yield run[start : start + SIZE]


def similarity(one, other):
    product = sum(map(float.__mul__, one, other))
    norms = math.hypot(*one) * math.hypot(*other)
    return product / norms if 0 < norms < math.inf else 0.0


def best_similarity(vectors, template):
    return max((similarity(vector, template) for vector in vectors), default=0.0)


def body_calls(recording, template):
    for form, name in zip(JSON_FORMS, itertools.cycle(NAMES)):
        value = JSON_FORMS[form](template)
        recording.call_with_json({name: value}, {"results": [{name: value}]})


def other_calls(recording, template):
    texts = [f"{value:.3f}" for value in template]
    recording.call(target=f"/represent?{urlencode([('v', text) for text in texts])}")
    recording.call(target=f"/represent/{base64.urlsafe_b64encode(packed(template)).decode()}")
    for fields in ([("v", text) for text in texts], [("img", json.dumps(template))]):
        body, content_type = encode_multipart_formdata(fields)
        recording.call(sent=body, content_type=content_type)
    file = {"file": ("embedding.npy", in_npy(template))}
    body, content_type = encode_multipart_formdata(file)
    recording.call(sent=body, content_type=content_type)
    for content in (in_npy(template), packed(template), ",".join(texts).encode()):
        recording.call(
            sent=content, content_type="text/plain", answer=content, answer_type="text/plain"
        )


def test_attacker_finds_a_person_in_what_is_sent():
    # The attack is one: it finds the person in the bodies as they were.
    template = embed(0, 0)
    for form, write in JSON_FORMS.items():
        document = json.dumps({"mappings": [{"jsonBody": {"x": write(template)}}]})
        found = best_similarity(vectors_in(document), embed(0, 1))
        assert found > 0.8, form


@pytest.mark.parametrize("calls", [body_calls, other_calls])
def test_no_person_is_found_among_strangers_by_a_recording(tmp_path, calls):
    for person in range(2):
        folder = tmp_path / str(person)
        folder.mkdir()
        recording = Recording(folder)
        calls(recording, embed(person, 0))
        assert len(recording.file) > 5
        vectors = list(vectors_in(recording.text))
        own = best_similarity(vectors, embed(person, 1))
        strangers = [best_similarity(vectors, embed(stranger, 0)) for stranger in range(100, 124)]
        assert own < max(strangers), (person, own)
        assert own < 0.5


def test_equal_templates_have_one_stand_in_of_their_length_and_others_another(tmp_path):
    recording = Recording(tmp_path)
    first, second = embed(1, 0), embed(2, 0)
    for template in (first, second, first):
        recording.call_with_json({"img1": template}, {"embedding": template})
        text = encoded(packed(template))
        recording.call_with_json({"img1": text}, {"feature": text})
    sent = [
        mapping["metadata"]["sent"]["json"]["img1"]
        for mapping in json.loads(recording.text)["mappings"]
    ]
    assert [len(value) for value in sent] == [SIZE, len(text)] * 3
    assert sent[0] == sent[4] != sent[2]
    assert sent[1] == sent[5] != sent[3]
    assert recording.answers[4] == {"embedding": sent[0]}
    # A program that replays it calls no two people one.
    assert abs(similarity(sent[0], sent[2])) < 0.3
    assert all(isinstance(value, float) for value in sent[0])
    assert len(base64.b64decode(sent[1])) == SIZE * 4


KEPT = {
    "five landmarks": {"landmarks": [[12, 30], [40, 30], [26, 44], [15, 60], [37, 60]]},
    "numbers of a box and a face": {"box": [1, 2, 3, 4], "score": 0.93, "faces": 2},
    "32 numbers": {"scores": [number / 40 for number in range(32)]},
    "scores of search results": {
        "results": [
            {"id": f"0000000{number}-9b1e-4c0e-8d75-3d0a5c6c9e11", "score": 0.5, "box": [1, 2, 3]}
            for number in range(10)
        ]
    },
}


@pytest.mark.parametrize("kind", KEPT)
def test_scores_boxes_and_few_landmarks_are_kept(tmp_path, kind):
    recording = Recording(tmp_path)
    recording.call_with_json({}, KEPT[kind])
    (answer,) = recording.answers
    kept = [list(numbers_of(inner)) for inner in answer.values()]
    expected = [list(numbers_of(inner)) for inner in KEPT[kind].values()]
    if kind == "scores of search results":
        assert [item["score"] for item in answer["results"]] == [0.5] * 10
    else:
        assert kept == expected


@pytest.mark.parametrize(
    "value",
    ["", "ab" * 100, "A text. " * 30, encoded(b"A text of a hundred and more letters. " * 5)],
)
def test_text_that_is_no_template_is_none(value):
    assert not is_face_template(value)
    assert not is_encoded_template(value)


def test_comparison_sends_the_mocks_own_embedding_in_place_of_a_recorded_one(tmp_path):
    """Two embeddings, compared by a later call, replay as they were answered."""
    with MockServer(vendor=["deepface"]) as vendor:
        recording = Recording(tmp_path)
        recorder = Recorder(recording.file, Upstream(vendor.url), 9, print)

        def call(path, body):
            headers = [JSON_TYPE, ("Content-Length", "1"), ("Host", "127.0.0.1:5005")]
            request = Request.make(
                method="POST", target=path, headers=headers, body=json.dumps(body).encode()
            )
            return recorder.forward("deepface", request).json()

        embeddings = []
        for card in ("p1", "p1-again", "p2"):
            picture = f"data:image/png;base64,{encoded(CARDS[card])}"
            answer = call("/represent", {"img": picture, "model_name": "SFace"})
            embeddings.append(answer["results"][0]["embedding"])
        verdicts = []
        for other in embeddings[1:]:
            body = {"img1": embeddings[0], "img2": other, "model_name": "SFace"}
            verdicts.append(call("/verify", body)["verified"])
    assert verdicts == [True, False]
    assert str(embeddings[0][0]) not in recording.text
    cards = ["--picture", "r1=p1", "--picture", "r2=p1-again", "--picture", "r3=p2"]
    report = invoke_facematch("parity", str(recording.file.path), "--json", *cards)
    assert json.loads(report.stdout)["counts"]["alike"] == 5
