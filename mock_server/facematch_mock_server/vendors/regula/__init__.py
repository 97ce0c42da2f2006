"""The mock of a Regula FaceSDK web service."""
