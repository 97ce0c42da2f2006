"""The HTTP layer: sockets, requests and responses, up to a vendor or the control API."""
