"""Claims about Baidu AI Cloud's face version 3, with their sources."""

from __future__ import annotations

from decimal import Decimal

from facematch_mock_server.claims import Origin
from facematch_mock_server.vendors.kit import (
    OURS,
    START_CREDIT,
    Reply,
    documented,
    observed,
    row,
    table,
)

READ = "2026-11-28"


def _page(name: str, page: str) -> Origin:
    return documented(f"Baidu AI Cloud, {name}, ai.baidu.com/ai-doc/{page}", READ)


GATEWAY = _page("face, error codes (2025-08-22)", "FACE/zl958mm8k")
MATCH = _page("face match (2025-11-18)", "FACE/Lk37c1tpf")
TOKEN = _page("access token", "REFERENCE/Lkru0zoz4")
API_KEY = _page("API key in a header (2025-02-24)", "REFERENCE/Rm64sd6cb")
LOGIN_ERRORS = _page("NLP, access token", "NLP/Tk6z52d7c")
QUOTAS = _page("face, quotas", "FACE/Ck37c1lmj")
SIGNATURE = _page("body analysis, error codes (2023-07-21)", "BODY/mk4qt2wpt")
FACE_CODES = observed("public copies of Baidu's table of the error codes of face version 3", READ)
FACEVERIFY = observed("public clients of faceverify version 3", READ)
#: What a public copy of Baidu's page tells of detect.
DETECT = observed(
    "a public copy of Baidu's page of detect version 3, free-api.com/doc/39", "2026-11-29"
)
FACESET = observed("public clients of faceset/user/add and search version 3", "2026-11-29")
PRIVATE = documented("Baidu AI Cloud, face for a private cloud: thresholds of liveness", READ)


def _error(code: int, message: str) -> Reply:
    """Return an error, to which each answer adds its log_id and its time."""
    return Reply(200, {"error_code": code, "error_msg": message})


def _login_error(description: str) -> Reply:
    return Reply(401, {"error": "invalid_client", "error_description": description})


# One claim per line: key, response, source, and statement.
# fmt: off
CLAIMS = table(
    "baidu",
    row("login.answer", Reply(200), TOKEN, "The key and the secret of an app get a token, by POST in the query."),
    row("login.life_s", 2_592_000, TOKEN, "A token is valid for 30 days; expires_in tells."),
    row("login.grant", Reply(400, {"error": "unsupported_grant_type", "error_description": "The authorization grant type is not supported"}), OURS, "Another grant_type is 400, as in OAuth 2.0 (RFC 6749)."),
    row("login.client", _login_error("unknown client id"), LOGIN_ERRORS, "An unknown key is invalid_client; the status 401 is ours."),
    row("login.secret", _login_error("Client authentication failed"), LOGIN_ERRORS, "A wrong secret is invalid_client; the status 401 is ours."),
    row("caller.missing", _error(100, "Invalid parameter"), GATEWAY, "A call without a token is error 100; that this holds without any header is ours."),
    row("caller.token", _error(110, "Access token invalid or no longer valid"), GATEWAY, "A wrong or revoked token is error 110."),
    row("caller.expired", _error(111, "Access token expired"), GATEWAY, "A token past its end is error 111."),
    row("caller.bearer_wrong", _error(110, "Access token invalid or no longer valid"), OURS, "A wrong API key in the header is error 110, as a wrong token; not documented."),
    row("caller.signature", _error(14, "IAM Certification failed"), SIGNATURE, "A wrong signature (bce-auth-v1) is error 14. The mock accepts no signature (ours)."),
    row("caller.denied", _error(6, "no permission to access data"), GATEWAY, "A key without permission for the call is error 6."),
    row("rate.limit", None, QUOTAS, "The calls per second depend on the account: 1, 2 or 10. The mock has no limit until a test sets one (ours)."),
    row("rate.exceeded", _error(18, "Open api qps request limit reached"), GATEWAY, "A call above the limit per second is error 18."),
    row("body.wrong_json", _error(222001, "param[images] is null"), OURS, "A body that is no JSON list is error 222001; not documented."),
    row("body.wrong_count", _error(222208, "the number of image is incorrect"), FACE_CODES, "A comparison has exactly two pictures, a liveness check at least one; of several shots, the mock looks at the first (ours)."),
    row("picture.missing", _error(222001, "param[{name}] is null"), FACE_CODES, "A missing picture is error 222001; how it is named is ours."),
    row("picture.wrong_type", _error(222015, "param[image_type] format error"), FACE_CODES, "An image_type other than BASE64, URL and FACE_TOKEN is error 222015."),
    row("picture.no_download", _error(222204, "image_url_download_fail"), FACE_CODES, "A picture that cannot be read at its URL is error 222204."),
    row("face.token_unknown", _error(222209, "face token not exist"), FACE_CODES, "An unknown face_token is error 222209."),
    row("picture.no_base64", _error(222013, "param[image] format error"), FACE_CODES, "A text that is not base64 is error 222013."),
    row("picture.max_bytes", 1_572_864, MATCH, "A picture has at most 2 MB in base64, which are 1.5 MB."),
    row("picture.too_large", _error(222203, "image check fail"), OURS, "A picture above the limit is error 222203; not documented."),
    row("picture.formats", ("png", "jpeg", "bmp"), MATCH, "A picture is PNG, JPG or BMP; GIF is not accepted."),
    row("picture.wrong_format", _error(222013, "param[image] format error"), OURS, "Another format is error 222013; not documented."),
    row("picture.sides_px", (1, 1920), MATCH, "A picture has less than 1920x1080 pixels; that neither side may be above 1920 is ours."),
    row("picture.wrong_size", _error(222203, "image check fail"), OURS, "A picture with more pixels is error 222203; not documented."),
    row("picture.unreadable", _error(222203, "image check fail"), FACE_CODES, "A picture that cannot be read is error 222203."),
    row("face.none", _error(222202, "pic not has face"), FACE_CODES, "A picture without a face is error 222202; which picture, it does not tell. That it is not charged is ours."),
    START_CREDIT,
    row("credit.price", Decimal(0), OURS, "The price depends on the package; an answer with a score counts as one charge of 0."),
    row("credit.empty", _error(17, "Open api daily request limit reached"), GATEWAY, "If the free calls are used up, a call is error 17; that the mock's credit stands for them is ours."),
    row("match.answer", Reply(200), MATCH, "score is from 0 to 100; face_list has a token of each picture's face, in the order sent."),
    row("liveness.answer", Reply(200), FACEVERIFY, "face_liveness is from 0 to 1; face_list describes the face."),
    row("liveness.thresholds", {"frr_1e-4": 0.05, "frr_1e-3": 0.3, "frr_1e-2": 0.9}, FACEVERIFY, "thresholds come with each answer, and may change."),
    row("detect.answer", Reply(200), DETECT, "face_num is the number of faces, and face_list describes them, the largest first: face_token, location, face_probability and angle."),
    row("detect.most", 10, DETECT, "max_face_num, a number or its digits in a text, is 1 by default and at most 10; that a higher one counts as 10, and anything else as 1, is ours."),
    row("control.quality", {"LOW": 20, "NORMAL": 40, "HIGH": 60}, OURS, "quality_control refuses a picture whose quality, from 0 to 100, is below the level's; the numbers are not documented."),
    row("control.blurred", _error(223114, "face is fuzzy"), FACE_CODES, "A picture that fails quality_control is refused. Of the codes 223113 to 223116 and 223121 to 223127 the mock sends this one (ours)."),
    row("control.liveness", {"LOW": 0.05, "NORMAL": 0.3, "HIGH": 0.9}, PRIVATE, "liveness_control refuses a picture whose liveness, from 0 to 1, is below the level's. That the numbers of the private cloud hold here is ours."),
    row("control.no_live_face", _error(223120, "liveness check fail"), FACE_CODES, "A picture that fails liveness_control is error 223120."),
    row("person.missing", _error(222001, "param[{name}] is null"), FACE_CODES, "person/verify needs id_card_number and name; how a missing one is named is ours."),
    row("faceset.added", Reply(200), FACESET, "A face is added to user_id in group_id, which are made if there are none; the answer has its face_token and location. user_info, if sent, replaces the former one. action_type is not read (ours)."),
    row("faceset.missing", _error(222001, "param[{name}] is null"), FACE_CODES, "A set of faces needs group_id and user_id, a search group_id_list; how a missing one is named is ours."),
    row("faceset.wrong_id", _error(222006, "param[{name}] format error"), OURS, "The id of a group or a user has letters, digits and _. That another one is 222006 is ours."),
    row("faceset.most_faces", 20, FACESET, "A user has at most 20 faces."),
    row("faceset.many_faces", _error(216100, "invalid param"), OURS, "A further face of a user is refused; the code is ours."),
    row("faceset.changed", Reply(200), FACESET, "user/delete, face/delete, group/add and group/delete have error_code 0. That their result is null, that their price is that of the other calls, and that a group which does not exist is deleted, too, is ours."),
    row("faceset.no_user", _error(223103, "user is not exist"), FACE_CODES, "An unknown user is not updated or deleted. user/update replaces all faces of a user; its action_type is not read (ours)."),
    row("faceset.no_face", _error(223106, "face is not exist"), FACE_CODES, "An unknown face_token of a user is error 223106."),
    row("faceset.group_exists", _error(223101, "group is already exist"), FACE_CODES, "A group that exists, or has users, is not added."),
    row("search.answer", Reply(200), FACESET, "user_list has the users whose most alike face reaches match_threshold (80 by default), the most alike first, at most max_user_num (1 by default), each with group_id, user_id, user_info and score."),
    row("search.most_groups", 10, FACESET, "group_id_list has at most 10 groups, separated by commas."),
    row("search.many_groups", _error(223104, "group_list is too large"), FACE_CODES, "More groups are error 223104."),
    row("search.number", _error(222004, "param[{name}] format error"), OURS, "A match_threshold above 100, a max_user_num above 50, and what is no number are refused; the code is ours."),
    row("search.no_group", _error(222207, "match user is not found"), OURS, "Groups without a user have nobody to find: as for a search without a like face."),
    row("search.no_user", _error(222207, "match user is not found"), FACE_CODES, "If no face reaches the threshold, a search is error 222207; that it is not charged is ours."),
    row("answer.unfilled", ("landmark", "landmark150", "landmark72", "race", "spoofing"), DETECT, "The mock never fills these fields of a face; a call whose face_field asks for one has a hint (ours)."),
    row("error.internal", _error(282000, "internal error"), FACE_CODES, "An internal error is 282000. The mock sends it with the status that a test sets (ours)."),
    row("path", _error(3, "Unsupported openapi method"), SIGNATURE, "Any other path is error 3; that another method is, too, is ours."),
)
# fmt: on
