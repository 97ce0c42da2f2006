"""The documents that the claims about Didit cite."""

from __future__ import annotations

from facematch_mock_server.claims._claim import OURS, Known, Origin

__all__ = [
    "CAPTURE",
    "COMMUNITY_CLIENT",
    "DJANGO",
    "DJANGO_FORMS",
    "EARLY_LIMITS",
    "FRAMEWORK",
    "LIVENESS_SKILL",
    "MATCH_REFERENCE",
    "MATCH_SKILL",
    "NOVEMBER",
    "OBSERVED_SKILLS",
    "OPENAPI",
    "OPENAPI_DIGEST",
    "OURS",
    "SKILLS",
    "WARNINGS_PAGE",
    "WEBHOOK_GUIDE",
]

MATCH_REFERENCE = Origin(Known.DOCUMENTED, "Didit API reference, Face Match, June 2026")
OPENAPI = Origin(Known.DOCUMENTED, "Didit OpenAPI, 2026-07-18")
OPENAPI_DIGEST = Origin(Known.DOCUMENTED, "Digest of Didit's OpenAPI by a third party, 2026-09-08")
MATCH_SKILL = Origin(Known.DOCUMENTED, "Didit face-match skill page, early 2026")
LIVENESS_SKILL = Origin(
    Known.DOCUMENTED,
    "Didit passive-liveness skill page, early 2026 (also docs.didit.me "
    "/standalone-apis/passive-liveness, /core-technology/liveness/overview)",
)
SKILLS = Origin(Known.DOCUMENTED, "Didit skills repository, 2026-02-13 to 2026-07-09")
OBSERVED_SKILLS = Origin(Known.OBSERVED, "Didit skills repository, test suite, 2026-07-09")
CAPTURE = Origin(Known.OBSERVED, "Webhook captured in a public repository, 2026-05-29")
COMMUNITY_CLIENT = Origin(Known.OBSERVED, "didit-sdk 0.4.0, a community client, 2026")
NOVEMBER = Origin(Known.DOCUMENTED, "docs.didit.me, API keys and standalone APIs, 2026-11-07")
WARNINGS_PAGE = Origin(Known.DOCUMENTED, "docs.didit.me, warnings reference, undated, early 2026")
WEBHOOK_GUIDE = Origin(Known.DOCUMENTED, "docs.didit.me, webhooks, 2026")
EARLY_LIMITS = Origin(Known.DOCUMENTED, "docs.didit.me, rate limiting guide, undated, early 2026")
FRAMEWORK = Origin(Known.FRAMEWORK, "Django REST Framework, which Didit's error bodies show")
DJANGO = Origin(Known.FRAMEWORK, "Django, on which that framework stands")
DJANGO_FORMS = Origin(Known.FRAMEWORK, "Django REST Framework, Django's multipart parser")
