"""The only way out to the network.

Every request of the product leaves through here, and meets the same rules:

- the host name is resolved once, private and cloud metadata addresses are refused, and the connection goes to the
  very address that was checked, so a name server that changes its answer gains nothing;
- plain http only to hosts the operator listed; no redirect is followed; no proxy or netrc of the machine is used;
- a deadline over the whole call and a cap on the decoded body, so no server can hold a worker or fill its memory. What is
  handed on bit by bit (`stream`) has limits of its own, and no more of it is held than the part under way.

Failures are `OutboundError`, whose text holds no URL query, body or secret. Nothing here knows OAuth or Django.
"""

from connections.outbound.adapter import DEADLINE, MAX_BYTES, guard, session
from connections.outbound.calls import Answer, request
from connections.outbound.errors import OutboundError
from connections.outbound.identity import Identity
from connections.outbound.policy import configure, insecure_allowed, on_waiting
from connections.outbound.probes import Address, Certificate, address, tls
from connections.outbound.streams import Limits, Stream, stream, unpacked
from connections.outbound.uploads import Upload, UploadError
from connections.outbound.urls import check_url, host_port

__all__ = [
    "DEADLINE",
    "MAX_BYTES",
    "Address",
    "Answer",
    "Certificate",
    "Identity",
    "Limits",
    "OutboundError",
    "Stream",
    "Upload",
    "UploadError",
    "address",
    "check_url",
    "configure",
    "guard",
    "host_port",
    "insecure_allowed",
    "on_waiting",
    "request",
    "session",
    "stream",
    "tls",
    "unpacked",
]
