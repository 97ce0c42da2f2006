"""The verifier, and all that a call passes on its way to a backend and back."""
