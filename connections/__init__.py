"""Gatehouse: connections to HTTP APIs, kept for a team and its integrations."""

__version__ = "0.1.0"
