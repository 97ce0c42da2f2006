"""CompreFace, as the mock imitates it."""
