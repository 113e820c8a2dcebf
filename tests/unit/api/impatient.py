"""What gunicorn serves to callers that stand still: the same, with less patience."""

from connections.wsgi import application

__all__ = ["application"]

from connections.api import proxy

proxy.PATIENCE = 1
