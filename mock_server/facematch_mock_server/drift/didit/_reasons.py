"""Why claims about Didit cannot be seen by these requests: the first that fits counts."""

from __future__ import annotations

from facematch_mock_server.drift._script import Reason

REASONS = (
    Reason(
        title="switches",
        text=(
            "It is in force in no edition, only behind a switch of the mock. Where the vendor does "
            "what it says, the report names it as what was seen."
        ),
        claims=(
            "decision.empty_block.list",
            "destination.url_near.refused",
            "match.undecodable.refused",
            "order.credit.before_fields",
            "register.reserved.accepted",
            "register.reserved_besides.accepted",
            "webhook.event_id.new",
            "webhook.v2.prefix.timestamp",
        ),
    ),
    Reason(
        title="webhooks",
        text=(
            "Webhooks go to a server of yours, and their settings are yours: no request reads or "
            "changes them."
        ),
        claims=("webhook.*", "destination.*"),
    ),
    Reason(
        title="registration and login",
        text="It takes a new account, a password or a code from a mail.",
        claims=(
            *("account.*", "application.*", "bearer.*", "code.*", "login.*", "organizations.*"),
            *("password.*", "register.*", "resend.*", "token.*", "verify.*", "rate.register.*"),
        ),
    ),
    Reason(
        title="money",
        text="It takes a payment, or an account without credit.",
        claims=(
            *("payment.*", "billing.*", "credit.*", "order.credit.*"),
            "order.picture",
        ),
    ),
    Reason(
        title="limits and time",
        text="It takes more requests in a minute than is polite, or a long wait.",
        claims=("rate.*", "media.ttl_s", "media.expired"),
    ),
    Reason(
        title="changes of the account",
        text=(
            "It would change or delete what is yours, keep a face longer than needed, or could do "
            "so if the vendor were to do something else than its documents say."
        ),
        claims=(
            *("batch.*", "blocklist.*", "lists.*", "update.*", "delete.*", "index.listed_*"),
            *("liveness.blocklist_data", "liveness.risk.*BLOCKLIST*", "search.declin*"),
            *("search.blocked_first", "*.allowed_suppress", "search.listed_source"),
            "search.user_keys.*",
        ),
    ),
    Reason(
        title="other keys",
        text="It takes a second key: revoked, expired, weak, of a sandbox or of somebody else.",
        claims=("auth.*", "*.own_only", "list.sandbox", "session.out_of_reach"),
    ),
    Reason(
        title="broken requests",
        text="It takes a request that our client does not send.",
        claims=("form.*", "json.refused"),
    ),
    Reason(
        title="chance",
        text=(
            "It takes pictures or people of whom the vendor finds something special: a score next "
            "to the default threshold, an age on the day, no age at all, a review."
        ),
        claims=(
            *("age.minimum.boundary", "age.null_score", "age.zero_is_off", "index.duplicates"),
            *("liveness.dark", "liveness.null_score", "liveness.risk.LOW_FACE_LUMINANCE.*"),
            *("liveness.risk.POSSIBLE_DUPLICATED_FACE.*", "liveness.threshold.*"),
            *("match.threshold", "*.review.*"),
        ),
    ),
    Reason(
        title="values",
        text=(
            "Its contrary looks the same to somebody who looks at shapes only: numbers of faces, "
            "words of pages, addresses of pictures, the order of what has no order otherwise."
        ),
        claims=(
            *("match.sandbox", "liveness.sandbox", "search.sandbox", "age.sandbox*"),
            *("path.*", "page.headers", "media.*", "match.pictures", "liveness.known_from"),
            *("search.storage_path", "search.enrols", "review.oldest_first", "index.*"),
        ),
    ),
)
