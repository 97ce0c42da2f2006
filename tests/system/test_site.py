"""The site opened from the disk in a real Chromium: its search works and it asks no other host."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SEARCH = Path(__file__).with_name("site_search.mjs")

#: What people type, by the page that has to come first.
ANSWERS = {
    "apps/answer-a-web-form": ("429", "FastAPI", "selfie"),
    "apps/flask-and-django": ("Django", "Flask"),
    "apps/handle-errors": ("errors", "error", "idempotency", "timeout", "timeouts"),
    "apps/let-the-vendor-look": ("hosted session", "hosted sessions", "portrait", "session link"),
    "apps/limit-spending": ("budget", "budgets", "price", "currency"),
    "apps/migrate": ("boto3", "deepface", "face_recognition", "insightface"),
    "apps/observe": ("logging", "metrics", "OpenTelemetry"),
    "apps/read-a-result": ("liveness", "verify_live"),
    "apps/run-it": ("celery", "gunicorn", "deployment"),
    "apps/survive-outages": (
        *("circuit breaker", "failover", "outage", "outages"),
        *("rate limit", "RateLimiter", "retry", "retries"),
    ),
    "apps/test-offline": (
        *("pytest fixture", "sandbox", "webhook", "webhooks"),
        *("webhook signature", "webhook signatures"),
    ),
    "apps/troubleshooting": ("key", "API key"),
    "apps/tutorial": ("async", "asyncio", "install", "trio"),
    "choose/embed-many-pictures": ("embedding",),
    "choose/judge-a-score-file": ("CSV", "own CSV"),
    "choose/tutorial": ("calibrate", "calibration", "threshold", "thresholds"),
    "explanation/comparison": (
        *("confidence interval", "EER", "false positive rate", "ISO 19795", "ROC"),
    ),
    "explanation/pictures": ("HEIC", "EXIF"),
    "explanation/privacy": ("BIPA", "consent", "GDPR", "mask", "redact", "retention"),
    "explanation/scores": ("siblings",),
    "extend/add-a-mock-vendor": ("entry point",),
    "extend/run-the-mock-as-a-service": ("docker",),
    "extend/tutorial": ("plug-in",),
    "extend/use-the-mock": ("Java", "node"),
    "reference/exit-codes": ("exit code", "exit codes"),
    "reference/glossary": ("glossary",),
    "vendors/azure": ("Azure",),
    "vendors/rekognition": ("Rekognition",),
}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder],
        cwd=ROOT,
        check=True,
        timeout=300,
    )
    return folder


@pytest.mark.parametrize(("width", "scheme"), [(400, "dark"), (1280, "light")])
@pytest.mark.parametrize("page", ["index.html", "reference/results.html"])
def test_search_works_from_the_disk_and_asks_no_other_host(browser, site, page, scheme, width):
    browser.open(site / page, width=width, scheme=scheme)
    # On a telephone the field appears after a tap.
    browser.value("document.querySelector('[data-md-toggle=search]').click()")
    browser.value("document.querySelector('[data-md-component=search-query]').focus()")
    browser.send("Input.insertText", text="RateLimiter")
    # The page listens to keys.
    browser.press("End")
    results = "[...document.querySelectorAll('.md-search-result__link')].map(a => a.href)"
    results_shown = browser.wait(f"({results}).length > 0 && {results}")
    assert all(address.startswith(site.as_uri()) for address in results_shown)
    assert any("reference/policies.html" in address for address in results_shown)
    assert browser.messages() == []
    assert not [a for a in browser.requests() if not a.startswith((site.as_uri(), "data:"))]


@pytest.mark.parametrize("page", ["index.html", "reference/results.html"])
def test_nobody_scrolls_sideways_on_a_telephone(browser, site, page):
    browser.open(site / page, width=400)
    assert browser.value("document.documentElement.scrollWidth") <= 400
