"""Accounts on the host that registers them: registration, codes, logins, organizations."""

from __future__ import annotations

from facematch_mock_server.claims._claim import row, table
from facematch_mock_server.claims._reply import Reply

from .sources import FRAMEWORK, MATCH_SKILL, OBSERVED_SKILLS, OURS, SKILLS

_TOKENS = ("access_token", "refresh_token", "expires_in")
_VERIFIED = (*_TOKENS, "organization", "application")
_APPLICATION = ("uuid", "name", "client_id", "api_key")
_ORGANIZATION = ("uuid", "name")
_RESERVED = ("example.com", "example.net", "example.org", "example", "test", "invalid", "localhost")
_WAIT = "Request was throttled. Expected available in {wait} seconds."
_RULES = ("short", "upper", "lower", "digit", "special")
_LOCKOUTS = ((5, 15 * 60), (10, 60 * 60), (20, 24 * 60 * 60))

_REGISTER = (
    row("rate.register.limit", 5, "One address of the network registers 5 times an hour.", SKILLS),
    row("rate.register.window_s", 3600, "That hour slides.", SKILLS, turned=60),
    row(
        "rate.register.refused",
        Reply(429, {"detail": _WAIT}),
        "One more is 429 in the framework's words, whatever the body says.",
        FRAMEWORK,
    ),
    row("register.answer", Reply(201), "A registration is 201.", MATCH_SKILL),
    row(
        "register.message",
        "Registration successful. Check your email for the verification code.",
        "It says so, beside the address.",
        MATCH_SKILL,
    ),
    row(
        "register.bad_email",
        "Enter a valid email address.",
        "The words for no email address; no source shows an error body of this host.",
        OURS,
    ),
    row(
        "register.taken",
        Reply(400, {"email": ["This email address has an account."]}),
        "An address that is registered, in any case, is 400.",
        OURS,
    ),
    row(
        "register.reserved",
        _RESERVED[:1],
        "Addresses at example.com, reserved for tests, cannot register.",
        SKILLS,
        turned=(),
        when=("reserved_domains", ("refused",)),
        name="refused",
    ),
    row(
        "register.reserved",
        (),
        "Addresses in domains that are reserved for tests can register: a switch, for tests.",
        OURS,
        turned=_RESERVED,
        when=("reserved_domains", ("accepted",)),
        name="accepted",
    ),
    row(
        "register.reserved_besides",
        _RESERVED[1:],
        "Nor can those in the other domains that are reserved for tests: which Didit means is not "
        "documented.",
        OURS,
        turned=(),
        when=("reserved_domains", ("refused",)),
        name="refused",
    ),
    row(
        "register.reserved_besides",
        (),
        "With the switch those can register, too.",
        OURS,
        turned=_RESERVED[1:],
        when=("reserved_domains", ("accepted",)),
        name="accepted",
    ),
    row(
        "register.broken",
        Reply(500, "{page}"),
        "They are reported to make the server fail with 500.",
        SKILLS,
        turned=Reply(502, "{page}"),
    ),
    row(
        "register.broken_page",
        "<html><body><h1>Server Error (500)</h1></body></html>\n",
        "What that 500 says.",
        OURS,
    ),
)

_PASSWORDS = (
    row("password.shortest", 8, "A password has at least 8 characters.", SKILLS),
    row(
        "password.rules",
        _RULES,
        "It has an upper and a lower case letter, a digit and a special character; the order of "
        "the rules is ours.",
        SKILLS,
        turned=_RULES[:1],
    ),
    row("password.one_at_a_time", True, "Of several broken rules one is told.", SKILLS),
    *(
        row(f"password.{rule}", f"This password {words}.", f"The words: it {words}.", OURS)
        for rule, words in (
            ("short", "must contain at least 8 characters"),
            ("upper", "must contain an uppercase letter"),
            ("lower", "must contain a lowercase letter"),
            ("digit", "must contain a digit"),
            ("special", "must contain a special character"),
        )
    ),
)

_CODES = (
    row("code.length", 6, "A code has six characters.", SKILLS),
    row(
        "code.letters",
        True,
        "They are letters and digits.",
        SKILLS,
    ),
    row(
        "code.alphabet",
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        "The letters are upper case ones of ASCII.",
        OURS,
        turned="0123456789abcdefghijklmnopqrstuvwxyz",
    ),
    row(
        "code.lifetime_s",
        15 * 60,
        "A code is good for 15 minutes; other pages say 10. Ours to set.",
        SKILLS,
        turned=10 * 60,
    ),
    row("code.once", True, "A code is good once.", OURS),
    row("code.exact", True, "Upper and lower case are different characters.", OURS),
    row(
        "verify.wrong",
        Reply(400, {"code": ["This code is not right."]}),
        "A wrong code, or one that was used, is 400.",
        OURS,
    ),
    row(
        "verify.expired",
        Reply(400, {"code": ["This code has expired."]}),
        "A code that is too old is 400.",
        OURS,
    ),
    row("verify.answer", Reply(200), "The right code is 200.", MATCH_SKILL),
    row(
        "verify.keys",
        _VERIFIED,
        "It brings tokens, an organization and an application.",
        MATCH_SKILL,
        turned=_VERIFIED[:3],
    ),
    row(
        "verify.organization_keys",
        _ORGANIZATION,
        "The organization has uuid and name.",
        MATCH_SKILL,
        turned=_ORGANIZATION[:1],
    ),
    row(
        "verify.application_keys",
        _APPLICATION,
        "The application has uuid, name, client_id and api_key, a full-access key.",
        MATCH_SKILL,
        turned=_APPLICATION[:3],
    ),
    row("account.organization", "My organization", "The name of the organization.", OURS),
    row("account.application", "My application", "The name of the application.", OURS),
    row("resend.answer", Reply(200), "Another code is 2xx; which is ours.", SKILLS),
    row(
        "resend.message",
        "A new verification code was sent.",
        "The body of that answer has a message.",
        OURS,
    ),
    row("resend.wait_s", 60, "60 seconds pass between two codes. Ours to set.", SKILLS, turned=5),
    row(
        "resend.throttled",
        Reply(429, {"detail": _WAIT}),
        "One too early is 429 in the framework's words.",
        OURS,
    ),
    row("resend.replaces", True, "Another code replaces the one before.", OURS),
    row(
        "resend.quiet",
        True,
        "An address that waits for no code is answered as one that does, and gets no mail.",
        OURS,
    ),
)

_LOGIN = (
    row("login.answer", Reply(200), "A login is 200.", SKILLS),
    row("login.keys", _TOKENS, "It brings tokens.", SKILLS, turned=_TOKENS[:1]),
    row("token.lifetime_s", 86_400, "An access token is good for a day.", MATCH_SKILL, turned=60),
    row(
        "login.wrong",
        Reply(401),
        "A wrong email or password is 401.",
        SKILLS,
    ),
    row("login.words", "Invalid email or password.", "The words for that.", OURS),
    row(
        "login.unverified",
        Reply(403, {"detail": "Verify your email address first."}),
        "A login before the mailbox was proved is 403.",
        OURS,
    ),
    row(
        "login.lockouts",
        _LOCKOUTS,
        "5 failures in a row lock the account for 15 minutes, 10 for an hour, 20 for a day.",
        SKILLS,
        turned=((4, 30),),
    ),
    row(
        "login.locked",
        Reply(429, {"detail": f"Too many failed logins. {_WAIT}"}),
        "A login to a locked account is 429, with the right password as well.",
        OURS,
    ),
    row("login.forgets", True, "A good login forgets the failures before it.", OURS),
)

_ORGANIZATIONS = (
    row(
        "bearer.wrong",
        Reply(401),
        "Without a good access token the organizations are 401; 403 was taken as well.",
        OBSERVED_SKILLS,
    ),
    row("bearer.words", "Invalid or expired token.", "The words for that.", OURS),
    row("organizations.answer", Reply(200), "The organizations are an array, 200.", OURS),
    row(
        "organizations.keys",
        _ORGANIZATION,
        "An organization has uuid and name there.",
        OURS,
        turned=_ORGANIZATION[:1],
    ),
    row("application.answer", Reply(200), "An application is 200.", OURS),
    row(
        "application.keys",
        _APPLICATION[:3],
        "An application has uuid, name and client_id there, and no key.",
        OURS,
        turned=_APPLICATION[:2],
    ),
    row(
        "application.unknown",
        Reply(404, {"detail": "Not found."}),
        "An application that is not the person's own is 404.",
        OURS,
    ),
)

CLAIMS = table("didit", *_REGISTER, *_PASSWORDS, *_CODES, *_LOGIN, *_ORGANIZATIONS)
