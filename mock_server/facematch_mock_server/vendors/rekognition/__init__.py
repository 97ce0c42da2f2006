"""The mock of Amazon Rekognition."""
