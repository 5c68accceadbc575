"""Both ends of a security association in one place, for who needs no more than that."""

from esp.inbound import InboundAssociation, Unprotected
from esp.layout import EspParts, Mode, esp_parts
from esp.outbound import OutboundAssociation

__all__ = [
    "EspParts",
    "InboundAssociation",
    "Mode",
    "OutboundAssociation",
    "Unprotected",
    "esp_parts",
]
