"""The JSON API for integrations (design §5)."""
