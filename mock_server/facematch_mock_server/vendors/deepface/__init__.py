"""The mock of a DeepFace server."""
