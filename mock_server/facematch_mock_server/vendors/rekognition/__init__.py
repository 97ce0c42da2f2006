"""Amazon Rekognition, as the mock imitates it."""
