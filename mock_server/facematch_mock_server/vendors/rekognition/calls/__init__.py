"""The handlers of Rekognition's operations: pictures, and sessions of Face Liveness."""
