"""From a socket to a vendor or to the control API, and back."""
