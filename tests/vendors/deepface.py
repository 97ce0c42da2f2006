"""DeepFace's server: requests to its mock as clients send them, and its simulators."""

import base64
from typing import ClassVar

import attrs
from kit.mock_world import draw_picture, json_bytes, multipart, request_to, scene
from kit.scenario import Scenario, answer_with_fault

import facematch_core as fm
from facematch_core import Operation
from facematch_core.backend import ImageFormat, ImageLimits
from facematch_core.models import Box
from facematch_core.testing import PairSimulator, Refusal, Situation
from facematch_deepface import DeepfaceBackend
from facematch_mock_server.testing import MockSimulator
from facematch_mock_server.vendors.deepface.vendor import ANALYZE, REPRESENT, TOKEN, VERIFY


def data_uri(picture):
    return f"data:image/png;base64,{base64.b64encode(picture).decode()}"


def verify_request(img1=b"", img2=b"", *, token=TOKEN, **options):
    """A comparison; a picture that is bytes is sent as a data URI, and one that is None is not."""
    body = dict(options)
    for name, picture in (("img1", img1), ("img2", img2)):
        if isinstance(picture, bytes):
            body[name] = data_uri(picture or scene())
        elif picture is not None:
            body[name] = picture
    return request_of_type("application/json", json_bytes(body), token=token)


def form_request(*pictures, **options):
    """A comparison of files."""
    files = []
    for name, picture in zip(("img1", "img2"), pictures, strict=True):
        files.append((name, "a.png", picture))
    body, kind = multipart(options.items(), files)
    return request_of_type(kind, body)


def represent_request(img=b"", *, token=TOKEN, **options):
    """A request for the faces of a picture."""
    body = {**options, "img": data_uri(img or scene()) if isinstance(img, bytes) else img}
    return request_of_type("application/json", json_bytes(body), token=token, path=REPRESENT)


def analyze_request(img=b"", *, token=TOKEN, **options):
    """A request for what a picture tells of its faces."""
    body = {**options, "img": data_uri(img or scene()) if isinstance(img, bytes) else img}
    return request_of_type("application/json", json_bytes(body), token=token, path=ANALYZE)


def request_of_type(kind, body, *, token=TOKEN, path=VERIFY):
    request = request_to(path, body, kind, key=None)
    if token is None:
        return request
    return attrs.evolve(request, headers=(*request.headers, ("authorization", f"Bearer {token}")))


def lonely_file():
    """Return the type and the body of a form with the first file only."""
    body, kind = multipart([], [("img1", "a.png", scene())])
    return kind, body


def open_home(engine):
    """Ask for / as behind a door, where it is not the mock's own."""
    return engine.world.behaviour.handle(request_to("/", method="GET", key=None))


def compare_embeddings(engine):
    """Compare the embedding of a face with itself."""
    body = engine.handle(represent_request()).json()
    embedding = body["results"][0]["embedding"]
    return engine.handle(verify_request(embedding, embedding))


def scenarios():
    """Return the calls of claims/test_cited.py: an answer has each claim."""
    calls = (
        analyze_request(),
        analyze_request(actions=["mood"]),
        represent_request(scene(faces=0), enforce_detection=False),
        request_of_type(
            "application/json", b'{"img1_path": "/srv/ada.png", "img2": "data:image/png;base64,"}'
        ),
        verify_request(scene(faces=2)),
        verify_request(scene(attack=True), anti_spoofing=True),
        verify_request(scene(faces=0)),
        verify_request(b"no picture"),
        verify_request(draw_picture("WEBP")),
        verify_request(img2=None),
        verify_request(img2="/etc/hosts"),
        verify_request(model_name="Nope"),
        verify_request(distance_metric="manhattan"),
        verify_request(detector_backend="sideways"),
        represent_request(detector_backend="sideways"),
        verify_request(draw_picture("PNG", (20, 20))),
        form_request(b"no picture", scene()),
        request_of_type(*lonely_file()),
        attrs.evolve(verify_request(token=None), method="OPTIONS"),
        analyze_request(actions=[]),
        represent_request(max_faces="many"),
        verify_request(token=None),
        verify_request(token="wrong"),
        request_of_type("text/plain", b"img1"),
        request_of_type("multipart/form-data", b"img1"),
        request_of_type("application/json", b"{"),
        verify_request(img1=[0.5]),
        verify_request(img1=["0.5"]),
        verify_request(img1=[0.5] * 4096),
        represent_request(),
        compare_embeddings,
        represent_request(scene(attack=True), anti_spoofing=True),
        represent_request(scene(faces=0)),
        represent_request(b"no picture"),
        represent_request(draw_picture("WEBP")),
        represent_request(model_name="Nope"),
        represent_request("/etc/hosts"),
        attrs.evolve(verify_request(), method="GET"),
        open_home,
        answer_with_fault(500, verify_request()),
    )
    return [
        Scenario("deepface", calls, {"auth": "token"}),
        Scenario("deepface", calls, {"auth": "none"}),
    ]


# The simulators of DeepFace: the mock server in the place of the server, and documented bodies.

SIMULATOR_TOKEN = "an-example-of-a-token-93c1f07ad2"
#: Requests of a call.
STEPS = {Operation.MATCH: 3, Operation.LIVENESS: 1}
#: Situations that DeepFace does not have, with the reason.
NEVER = {
    Situation.NO_CREDIT: "DeepFace charges nobody.",
    Situation.THROTTLED: "DeepFace limits nobody.",
}


def picture_in(text):
    prefix, _, content = text.partition(",")
    assert prefix.startswith("data:image/")
    return base64.b64decode(content, validate=True)


class RepresentedPictures:
    """The pictures of which embeddings were returned; for a simulator of both paths."""

    def __init__(self):
        super().__init__()
        self.picture_of = {}

    def note(self, request, results):
        for result in results:
            self.picture_of[tuple(result["embedding"])] = picture_in(request.json()["img"])

    def pictures_in(self, request):
        body = request.json()
        if "img" in body:
            return {"probe": picture_in(body["img"])}
        pictures = {}
        for name, field in (("probe", "img1"), ("reference", "img2")):
            pictures[name] = self.picture_of[tuple(body[field])]
        return pictures


class DeepfaceSimulator(RepresentedPictures, MockSimulator):
    vendor = "deepface"
    switches: ClassVar = {"auth": "token"}
    calls = frozenset({REPRESENT, VERIFY})
    steps = STEPS
    secrets = (SIMULATOR_TOKEN,)
    keys = {"model_name": "SFace", "token": SIMULATOR_TOKEN}
    cannot_happen = NEVER

    def understand(self, request):
        return self.pictures_in(request)

    def alter(self, request, body):
        if request.path == REPRESENT:
            self.note(request, body["results"])
            return body
        self.put_score(body, "confidence")
        body["verified"] = (body["confidence"] or 0) >= 50
        return body


def area(x, *, side=30):
    return {"x": x, "y": 20, "w": side, "h": side + 10, "left_eye": [1, 2], "right_eye": [3, 4]}


def represented(*faces):
    """An answer of /represent: for each face its area and its embedding."""
    results = []
    for facial_area, embedding in faces:
        results.append(
            {"embedding": embedding, "facial_area": facial_area, "face_confidence": 0.93}
        )
    return {"results": results}


def answer(confidence, distance):
    """An answer of /verify to two embeddings: deepface 0.0.103's api folder, run 2026-11-28."""
    area_of_an_embedding = dict.fromkeys(area(0))
    return {
        "verified": distance <= 0.593,
        "distance": distance,
        "threshold": 0.593,
        "confidence": confidence,
        "model": "SFace",
        "detector_backend": "opencv",
        "similarity_metric": "cosine",
        "facial_areas": {"img1": area_of_an_embedding, "img2": area_of_an_embedding},
        "time": 1.2,
    }


def failed(cause):
    """An error of /represent, with the traceback."""
    traceback = (
        "Traceback (most recent call last):\n"
        '  File "/app/deepface/api/src/modules/core/service.py", line 48, in represent\n'
        f"deepface.modules.exceptions.Failed: {cause}\n"
    )
    return 400, {"error": f"Exception while representing: {cause} - {traceback}"}


SAME, DIFFERENT = answer(91.2, 0.3), answer(12.25, 0.71)
SMALLER_AREA = area(60, side=12)
#: The second number of an embedding, by the size of the face.
OF_THE_LARGEST, OF_A_SMALLER = 0.25, 0.75


def refusal(expected_error, status, **body):
    return Refusal(status=status, body=body, error=expected_error, charged=fm.Charged.NO)


REFUSALS = (
    refusal(fm.AuthenticationFailed, 401, message="Invalid or missing authentication token"),
    refusal(fm.RequestRejected, 400, exception="'img' not found in request"),
    *(
        refusal(fm.RequestRejected, 400, error=f"Exception while representing: {cause}")
        for cause in (
            "Input image can be jpg or png, but it is neither",
            "Invalid model_name passed - facial_recognition/Nope",
            "Model Nope is not supported. ",
        )
    ),
    refusal(fm.VendorUnavailable, 400, error="Exception while representing: out of memory"),
)


def constants_of(model):
    """What a request must have: without `enforce_detection` a picture of no face is one face."""
    asked = {"model_name": model, "detector_backend": "opencv"}
    return {
        REPRESENT: {**asked, "enforce_detection": True},
        VERIFY: {**asked, "distance_metric": "cosine"},
    }


class DocumentedDeepface(RepresentedPictures, PairSimulator):
    backend_class = DeepfaceBackend
    steps = STEPS
    secrets = (SIMULATOR_TOKEN,)
    settings = {"model_name": "SFace", "token": SIMULATOR_TOKEN}
    constants = constants_of("SFace")
    credentials = {"Authorization": f"Bearer {SIMULATOR_TOKEN}"}
    limits = ImageLimits(formats={ImageFormat.JPEG, ImageFormat.PNG})
    same_person = SAME
    different_people = DIFFERENT
    faces = {
        "probe": (Box(left=10, top=20, right=40, bottom=60),),
        "reference": (Box(left=15, top=20, right=45, bottom=60),),
    }
    score_path = ("confidence",)
    charges_nothing = True
    #: Answers of /verify and refusals; /represent answers with faces unless it refuses.
    answers = {
        Situation.LIVE: (200, SAME),
        Situation.TWO_FACES: (200, SAME),
        Situation.SMALLER_FACE_MATCHES: (200, DIFFERENT),
        Situation.SPOOF: failed("Spoof detected in the given image."),
        Situation.NO_FACE: failed(
            "Face could not be detected in base64 encoded string.Please confirm that the picture "
            "is a face photo or consider to set enforce_detection param to False."
        ),
        Situation.BAD_KEY: (401, {"message": "Invalid or missing authentication token"}),
        Situation.REJECTED: failed("Input image can be jpg or png, but it is neither"),
        Situation.OUTAGE: failed("out of memory"),
    }
    refusals = REFUSALS
    cannot_happen = NEVER

    def __init__(self):
        super().__init__()
        #: Whether the next picture is the reference of a comparison.
        self.is_probe_known = False

    def set_situation(self, situation, **options):
        self.is_probe_known = False
        super().set_situation(situation, **options)

    def ends(self, request):
        return request.path == VERIFY or request.json()["anti_spoofing"]

    @property
    def received(self):
        return {} if self.last is None else self.pictures_in(self.last)

    def documented_answer(self, request, situation, score):
        if situation is Situation.SPOOF and not request.json()["anti_spoofing"]:
            situation = Situation.LIVE  # nobody has asked
        status, body = super().documented_answer(request, situation, score)
        if status != 200 or situation is Situation.UNREADABLE_200:
            return status, body
        if request.path == REPRESENT:
            return 200, self.represent(request, situation)
        embeddings = [request.json()[field] for field in ("img1", "img2")]
        if any(second == OF_A_SMALLER for _, second in embeddings):
            is_another = situation is Situation.TWO_FACES
            return 200, self.different_people if is_another else self.same_person
        self.is_probe_known = False
        return 200, {**body, "verified": (body["confidence"] or 0) >= 50}

    def represent(self, request, situation):
        """The faces of a picture: the smaller one stands first, because no order is documented."""
        is_reference = self.is_probe_known
        self.is_probe_known = not is_reference and not request.json()["anti_spoofing"]
        number = float(len(self.picture_of) + 1)
        faces = [(area(15 if is_reference else 10), [number, OF_THE_LARGEST])]
        shows_two = situation in (Situation.TWO_FACES, Situation.SMALLER_FACE_MATCHES)
        if shows_two and not is_reference:
            faces.insert(0, (SMALLER_AREA, [number, OF_A_SMALLER]))
        body = represented(*faces)
        self.note(request, body["results"])
        return body


def verdict(*, is_same):
    """An answer for Buffalo_L, whose confidence is always 51 or 49."""
    documented = answer(51, 0.3) if is_same else answer(49, 0.71)
    return {**documented, "model": "Buffalo_L"}


class DocumentedBuffalo(DocumentedDeepface):
    """The server with the model that has no confidence of its own."""

    settings = {"model_name": "Buffalo_L", "token": SIMULATOR_TOKEN}
    constants = constants_of("Buffalo_L")
    same_person = verdict(is_same=True)
    different_people = verdict(is_same=False)
    answers = {
        **DocumentedDeepface.answers,
        Situation.LIVE: (200, same_person),
        Situation.TWO_FACES: (200, same_person),
        Situation.SMALLER_FACE_MATCHES: (200, different_people),
    }
    cannot_happen = {
        **NEVER,
        **dict.fromkeys(
            (Situation.SCORE, Situation.NULL_SCORE, Situation.IMPOSSIBLE_SCORE),
            "Buffalo_L has no score: its confidence is always 51 or 49.",
        ),
    }
