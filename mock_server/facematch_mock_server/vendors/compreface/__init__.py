"""CompreFace's face verification service, as its own source has it."""
