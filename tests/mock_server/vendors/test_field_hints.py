"""The journal's note about a misspelt field of a form, and about a misspelt call."""

import pytest
import requests

from facematch_mock_server import MockServer, make_card

CARD = make_card("p1")


def send(mock, path, files, texts=None):
    uploads = dict.fromkeys(files, ("card.png", CARD))
    headers = {"x-api-key": mock.live_key}
    return requests.post(mock.url + path, headers=headers, files=uploads, data=texts, timeout=10)


@pytest.mark.parametrize(
    ("files", "texts", "note"),
    [
        (("user_image", "reference_image"), {}, "reference_image: did you mean ref_image?"),
        (("image_user", "ref_image"), {}, "image_user: did you mean user_image?"),
        (("user_image", "ref_image"), {"vendor_dta": "7"}, "vendor_dta: did you mean vendor_data?"),
        (("user_image", "ref_image"), {"vendor_data": "7"}, None),
        (("user_image", "ref_image", "zzz"), {"q": "7"}, None),
        # The name is known, but the picture was sent without a file name.
        (("ref_image",), {"user_image": "text"}, None),
    ],
)
def test_note_names_the_field_that_was_meant(files, texts, note):
    with MockServer() as mock:
        send(mock, "/v3/face-match/", files, texts)
        assert mock.control.journal()[-1].note == note


def test_note_names_the_field_that_was_meant_at_compreface():
    with MockServer(vendor="compreface") as mock:
        answer = send(mock, "/api/v1/verification/verify", ("source_image", "targetimage"))
        assert answer.status_code == 400
        assert mock.control.journal()[-1].note == "targetimage: did you mean target_image?"


@pytest.mark.parametrize(
    ("vendor", "path", "note"),
    [
        ("onfido", "/v3.6/sdk_token", "this path takes POST"),
        ("onfido", "/v3.6/applicant", "did you mean /v3.6/applicants?"),
        ("compreface", "/api/v1/detection/detec", "did you mean /api/v1/detection/detect?"),
    ],
)
def test_note_names_the_call_that_was_meant(vendor, path, note):
    with MockServer(vendor=vendor) as mock:
        key = mock.live_key
        headers = {"x-api-key": key, "Authorization": f"Token token={key}"}
        requests.get(mock.url + path, headers=headers, timeout=10)
        assert mock.control.journal()[-1].note == note
