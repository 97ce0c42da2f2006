"""The ways into the engine: a real HTTP server, and two ways within the process.

Imports nothing by itself: a server needs no requests, and an adapter no event loop.
"""
