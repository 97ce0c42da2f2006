"""The journal's note about a form with a misspelt field."""

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
