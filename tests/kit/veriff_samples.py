"""Bodies and signatures of Veriff as other programs publish them."""

#: The key, the message and its signature: brokeyourbike/veriff-api-client-go 49190b4,
#: webhook/webhook_test.go, read on 2026-11-28.
SIGNED_KEY = "abcdef12-abcd-abcd-abcd-abcdef012345"
SIGNED_BODY = (
    b'{"verification":{"callback":"https://veriff.com","person":{"firstName":"John",'
    b'"lastName":"Smith"},"document":{"type":"PASSPORT","country":"EE"},'
    b'"vendorData":"unique id of the end-user","timestamp":"2016-05-19T08:30:25.597Z"}}'
)
SIGNATURE = "0dcab73ddd20062616d104231c7439657546a5c24e4691977da93bb854c31e25"

#: The session of the sample below.
SESSION_ID = "12df6045-3846-3e45-946a-14fa6136d78b"
#: Veriff's sample of a decision (the same repository, testdata/decision.json).
DECISION = {
    "status": "success",
    "verification": {
        "id": SESSION_ID,
        "code": 9001,
        "person": {
            "gender": None,
            "idNumber": None,
            "lastName": "MORGAN",
            "addresses": [{"fullAddress": "1234 Snowy Ridge Road, Indiana, 56789 USA"}],
            "firstName": "SARAH",
            "citizenship": None,
            "dateOfBirth": "1967-03-30",
            "nationality": None,
            "yearOfBirth": "1967",
            "placeOfBirth": "MADRID",
            "pepSanctionMatch": None,
        },
        "reason": None,
        "status": "approved",
        "comments": [],
        "document": {
            "type": "DRIVERS_LICENSE",
            "number": "MORGA753116SM9IJ",
            "country": "GB",
            "validFrom": None,
            "validUntil": "2022-04-20",
        },
        "reasonCode": None,
        "vendorData": "12345678",
        "decisionTime": "2019-11-06T07:18:36.916Z",
        "acceptanceTime": "2019-11-06T07:15:27.000Z",
        "additionalVerifiedData": {"estimatedAge": 32, "estimatedGender": 0.613},
        "riskLabels": [
            {
                "label": "document_integration_level_crosslinked_with_fraud",
                "category": "document",
                "sessionIds": ["5a2358e7-fd31-4fcb-a23f-4d76651ba68a"],
            }
        ],
    },
    "technicalData": {"ip": "186.153.67.122"},
}
#: Samples of event webhooks (testdata/event.json, event-attempt.json, event-address.json).
EVENT_ID = "f04bdb47-d3be-4b28-b028-a652feb060b5"
EVENTS = (
    {
        "id": EVENT_ID,
        "feature": "selfid",
        "code": 7002,
        "action": "submitted",
        "vendorData": "QWE123",
    },
    {
        "id": EVENT_ID,
        "attemptId": "e30122d1-740b-4764-853f-470374a7abf4",
        "feature": "selfid",
        "code": 7002,
        "action": "submitted",
        "vendorData": "QWE123",
    },
    {
        "id": EVENT_ID,
        "addressId": "f087f21f-5282-41b8-9857-6f85c28b8122",
        "feature": "selfid",
        "code": 7005,
        "action": "submitted",
        "vendorData": "QWE123",
    },
)
#: A "Full Auto" webhook, with the fields that devdocs.veriff.com lists (read on 2026-11-28).
FULL_AUTO = {
    "status": "success",
    "eventType": "fullauto",
    "sessionId": EVENT_ID,
    "attemptId": "e30122d1-740b-4764-853f-470374a7abf4",
    "vendorData": "QWE123",
    "endUserId": None,
    "version": "1.0.0",
    "acceptanceTime": "2026-11-06T07:15:27.000Z",
    "time": "2026-11-06T07:18:36.916Z",
    "data": {
        "verification": {
            "decision": "approved",
            "decisionScore": 1,
            "insights": [
                {"label": "faceSimilarToPortrait", "result": "yes", "category": "biometrics"}
            ],
        }
    },
}
#: Signatures with the secret `dummy-shared-secret`, computed with OpenSSL.
DUMMY_SECRET = "dummy-shared-secret"
DUMMY_ID = "11111111-2222-4333-8444-555555555555"
DUMMY_ID_SIGNATURE = "c62f0638e2a4ada27e3afd1f52389fe0503359e691a3c5ae956c45e1da4beae6"
