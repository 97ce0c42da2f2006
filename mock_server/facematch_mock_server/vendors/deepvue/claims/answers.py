"""What the answers of the face calls have in common."""

from __future__ import annotations

from facematch_mock_server.claims._claim import row, table
from facematch_mock_server.claims._reply import Reply

from .sources import LIVENESS_PAGE, MATCH_V1, MATCH_V2, OURS, RESPONSE_FORMAT

_WHOLE = ("code", "timestamp", "transaction_id", "sub_code", "message", "data")
_WITHOUT_TIME = tuple(key for key in _WHOLE if key != "timestamp")

CLAIMS = table(
    "deepvue",
    row(
        "answer.code",
        True,
        "code is the status of the answer.",
        RESPONSE_FORMAT,
        when=("code", ("status",)),
        name="status",
    ),
    row(
        "answer.code",
        False,
        "code is null, as the sample of version 1 has it.",
        MATCH_V1,
        when=("code", ("null",)),
        name="null",
    ),
    row("answer.sub_code", "SUCCESS", "The sub_code of a success is SUCCESS.", MATCH_V1),
    row("answer.per_second", 1000, "timestamp is in milliseconds since 1970.", RESPONSE_FORMAT),
    row(
        "answer.own",
        True,
        "Fields that a test makes up stand in an answer as they are; they say nothing of Deepvue.",
        OURS,
    ),
    row("match.answer", Reply(200), "A comparison that was made is 200.", MATCH_V1),
    row(
        "match.v1.keys",
        _WHOLE,
        "Version 1 answers with code, timestamp, transaction_id, sub_code, message and data.",
        MATCH_V1,
        turned=_WITHOUT_TIME,
    ),
    row("match.v1.timed", True, "Version 1 tells a timestamp.", MATCH_V1),
    row("match.v1.dashes", False, "The transaction_id of version 1 has no dashes.", MATCH_V1),
    row("match.v2.keys", _WITHOUT_TIME, "Version 2 has no timestamp.", MATCH_V2, turned=_WHOLE),
    row("match.v2.dashes", True, "The transaction_id of version 2 is a dashed UUID.", MATCH_V2),
    row("match.message", "Face match completed.", "The message of a comparison.", MATCH_V1),
    row("liveness.answer", Reply(200), "A liveness check that was made is 200.", LIVENESS_PAGE),
    row(
        "liveness.keys",
        _WHOLE,
        "A liveness check is answered with the keys of a comparison of version 1.",
        LIVENESS_PAGE,
        turned=_WITHOUT_TIME,
    ),
    row("liveness.timed", False, "The timestamp of a liveness check is null.", LIVENESS_PAGE),
    row("liveness.dashes", False, "The transaction_id of a liveness check has no dashes.", OURS),
    row(
        "liveness.message",
        "Request processed successfully",
        "The message of a liveness check.",
        RESPONSE_FORMAT,
    ),
)
