"""Accounts: registration by a program, logging in, and what a person sees of an organization."""
