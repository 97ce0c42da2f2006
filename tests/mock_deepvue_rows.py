"""The rows of the contract about Deepvue, and the claims that each rests on.

Section, first cell in the contract (empty for a sentence), what it says, and the claims by id
without the vendor (* for all of a group) or why there is none.
"""

import enum


class Why(enum.Enum):
    """Why no claim covers a row."""

    READER = "what a client makes of answers, not what a server does"
    SEEN = "what is seen in a picture, settled before an answer: cards, outcomes, engine local"
    FAULT = "a fault that a test asks for, of any vendor"
    UNKNOWN = "nothing is known of it, and nothing is imitated"


ROWS = (
    # Hosts and endpoints
    ("1", "token", "form", "token.answer token.fields token.multipart token.urlencoded"),
    ("1", "face match v1", "two files", "match.fields match.answer match.v1.keys"),
    ("1", "face match v2", "two files", "match.fields match.v2.keys match.v2.extensions"),
    ("1", "passive liveness", "JSON", "liveness.fields liveness.answer liveness.no_object"),
    ("1", "prepaid balance", "GET", "wallet.answer wallet.keys"),
    ("1", "", "another path or method", "path.*"),
    # Authentication
    ("2", "", "two headers", "auth.scheme auth.missing auth.missing.text auth.key auth.own_key"),
    ("2", "", "another pair for the wallet", "auth.wallet auth.wallet.text"),
    ("2", "", "answer of authorize", "token.keys token.type.* token.life_s token.many"),
    ("2", "", "no single expiry", "token.expiry.*"),
    ("2", "", "a JWT", "token.claims token.jti"),
    ("2", "", "a token that is refused", "auth.token.403 auth.token.401 auth.token.text"),
    # Requests
    ("3", "", "formats", "match.v1.extensions match.v2.extensions file.any_case file.magic"),
    ("3", "", "real files", "body.not_a_file"),
    ("3", "", "text of an image", "liveness.data_uri liveness.no_base64 liveness.no_text"),
    # Responses
    ("4", "code", "status or null", "answer.code.*"),
    (
        "4",
        "timestamp",
        "milliseconds, null or absent",
        "answer.per_second match.v1.timed liveness.timed match.v2.keys",
    ),
    ("4", "transaction_id", "opaque", "match.v1.dashes match.v2.dashes liveness.dashes"),
    ("4", "sub_code", "SUCCESS", "answer.sub_code"),
    ("4", "message", "free text", "match.message liveness.message"),
    ("4", "data", "an object", "match.data liveness.data liveness.keys"),
    ("4", "", "confidence", "match.confidence.* match.decimals"),
    ("4", "", "score of a liveness check", "liveness.score.*"),
    ("4", "", "three shapes of errors", "error.shape.* error.key error.envelope.whole"),
    ("4", "", "envelopes", "error.envelope_bare.bare error.sub_code"),
    ("4", "", "a failure inside a 200", "answer.own face.missing.200 face.sub_code"),
    ("4", "", "answers are JSON", "json.content_type"),
    # Errors
    ("5", "400", "malformed, or switched off", "auth.inactive auth.inactive.text error.400"),
    ("5", "", "a body that cannot be read", "error.400.text body.unreadable body.unreadable.text"),
    ("5", "401", "credentials", "auth.missing auth.key.text auth.pair auth.pair.text auth.wallet"),
    ("5", "402", "ours", "credit.refused credit.refused.text"),
    ("5", "403", "not entitled", "auth.token.403 auth.not_allowed auth.not_allowed.text"),
    ("5", "404, 405", "the framework's", "path.unknown path.method path.allow"),
    ("5", "413, 415", "not documented", Why.UNKNOWN),
    ("5", "422", "parameters", "body.refused body.keys body.missing body.together body.format"),
    ("5", "429", "too fast", "rate.refused rate.refused.text rate.retry_after.*"),
    ("5", "500", "fault of the vendor", "error.500 error.500.text"),
    ("5", "503", "source is down", "error.503 error.503.text"),
    ("5", "502, 504, other 5xx", "not documented", Why.FAULT),
    ("5", "200, not SUCCESS / no verdict", "a failure inside a 200", "answer.own"),
    ("5", "", "three windows", "rate.second.* rate.minute.* rate.day.* rate.windows rate.by_key"),
    ("5", "", "what is not known of limits", "rate.refused_count rate.wallet"),
    ("5", "", "prepaid, price not known", "credit.start credit.price.*"),
    ("5", "", "what is charged is not known", "credit.negative credit.no_face"),
    ("5", "", "errors", "credit.other_status credit.match credit.liveness"),
    # Normalising: the library's side
    ("6", "false", "declined", Why.READER),
    ("6", "true", "approved", Why.READER),
    ("6", "true", "below the threshold", Why.READER),
    ("6", "true", "no score", Why.READER),
    ("6", "true", "no threshold", Why.READER),
    # What is not known
    ("7", "confidence scale / meaning, liveness score scale", "switches", "match.confidence.*"),
    ("7", "vendor's own match threshold, v1 and v2", "ours", "match.from match.compared"),
    ("7", "answer for no face / several faces", "ours", "face.missing.* face.text face.keys"),
    ("7", "", "the largest of several faces counts", Why.SEEN),
    ("7", "file size and pixel limits", "none imitated", Why.UNKNOWN),
    ("7", "sandbox behaviour", "none imitated", Why.UNKNOWN),
    ("7", "charge on failure", "none", "credit.other_status"),
    ("7", "v1 vs v2 confidence comparable", "the same here", Why.READER),
    ("7", "error envelope", "a switch", "error.shape.*"),
    # What a mock must do
    ("8", "", "match is true from 60 up", "match.from match.equal_bytes"),
    ("8", "", "is_live from 50 up", "liveness.from liveness.attack liveness.unsure"),
    ("8", "", "guards in order", "order.*"),
    ("8", "", "of a part that is sent twice", "form.last_wins"),
    ("8", "", "a body that is no JSON", "liveness.no_json"),
)
SECTIONS = ("1", "4", "5", "6", "7")
