"""The simulator of CompreFace: the mock server in the place of a server of one's own."""

from facematch_core.testing import Situation
from facematch_mock_server.testing import MockSimulator


class ComprefaceSimulator(MockSimulator):
    vendor = "compreface"
    calls = frozenset({"/api/v1/verification/verify"})
    pictures = {"source_image": "probe", "target_image": "reference"}
    cannot_happen = {
        Situation.NO_CREDIT: "CompreFace charges nobody.",
        Situation.THROTTLED: "CompreFace limits nobody.",
        Situation.SPOOF: "CompreFace has no liveness check.",
    }
    secrets = ("5b8a4d2e-7c1f-4e0a-9d63-2f1c8b7a6e05",)
    keys = {"api_key": secrets[0], "plugins": "landmarks,mask,pose"}

    def pictures_for(self, situation):
        probe, reference = super().pictures_for(situation)
        if situation is Situation.SMALLER_FACE_MATCHES:
            # CompreFace refuses several faces in the probe, and scores each of the reference.
            return reference, probe
        return probe, reference

    def alter(self, request, body):
        for match in body["result"][0]["face_matches"]:
            self.put_score(match, "similarity", fraction=True)
        return body
