"""The endpoints of accounts."""

from __future__ import annotations

from facematch_mock_server.vendors.didit._visit import Route

from . import _login, _organizations, _registration, _verifying

ROUTES: tuple[Route, ...] = (
    *_registration.ROUTES,
    *_verifying.ROUTES,
    *_login.ROUTES,
    *_organizations.ROUTES,
)
