"""The ROHC channel as the AKA exchange negotiates it: eleven octets.

::

    MAX_CID 2 | MRRU 2 | mode 1 | integrity transform 1 | ICV octets 1 | profiles 2 | profiles 2

Mode is the Mode field's number (RFC 3095 section 5.7.5): 1 U, 2 O, 3 R. The integrity transform has
its IKEv2 number, 0 for no ROHC ICV; ICV octets 0 is the transform's own length. Bit n of the first
two octets of profiles (the lowest is 0) is profile 0x000n, of the other two 0x010n. RFC 5857 says
the same of one direction in 4 octets per attribute, which for seven profiles is 40.
"""

from __future__ import annotations

from dataclasses import dataclass

from esp.errors import InvalidParameter, MalformedMessage
from esp.integrity import INTEGRITY_TRANSFORMS
from esp.rohc_parameters import RohcParameters

__all__ = ["ROHC_CHANNEL_BYTES", "RohcChannel"]

ROHC_CHANNEL_BYTES = 11

_MODES = {"U": 1, "O": 2, "R": 3}
_MODE_NAMES = {number: letter for letter, number in _MODES.items()}
_INTEGRITY_NAMES = {row.number: name for name, row in INTEGRITY_TRANSFORMS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class RohcChannel:
    """Parameters of the ROHC channels of a session, one each way, with the same values.

    Raises :class:`~esp.errors.InvalidParameter` for values that no channel has.
    """

    max_cid: int = 15
    """MAX_CID, the highest context identifier: 0 to 16383; above 15 CIDs are large."""
    mrru: int = 0
    """The largest reconstructed unit in octets; 0: no segments."""
    mode: str = "O"
    """The highest mode of both decompressors: "U", "O" or "R"."""
    profiles: tuple[int, ...] = (0, 1, 2, 3, 4, 7, 8)
    """ROHC profiles 0x0000 to 0x000f and 0x0100 to 0x010f, ascending."""
    integrity: str | None = None
    """Integrity transform of the ROHC ICV; None for no such check."""
    icv_bytes: int | None = None
    """Octets of it in each packet; None for the transform's own."""

    def __post_init__(self) -> None:
        if self.mode not in _MODES:
            raise InvalidParameter(f'a ROHC mode is "U", "O" or "R", not {self.mode!r}')
        if any(one & ~0x010F for one in self.profiles):
            raise InvalidParameter("profiles lie in 0x0000 to 0x000f and 0x0100 to 0x010f")
        if list(self.profiles) != sorted(set(self.profiles)):
            raise InvalidParameter("profiles are given once each, ascending")
        transform = INTEGRITY_TRANSFORMS.get(self.integrity or "")
        if self.integrity is not None and transform is None:
            raise InvalidParameter(
                f"no integrity transform is named {self.integrity!r}",
                hint=f"known: {', '.join(INTEGRITY_TRANSFORMS)}",
            )
        longest = 0 if transform is None else transform.icv_bytes
        if self.icv_bytes is not None and not 1 <= self.icv_bytes <= longest:
            raise InvalidParameter(f"the ROHC ICV has 1 to {longest} octets")
        self.parameters()  # raises for what RFC 5857 forbids

    def parameters(self) -> RohcParameters:
        """The same in the words of RFC 5857, without the mode, which IKEv2 does not negotiate."""
        row = INTEGRITY_TRANSFORMS.get(self.integrity or "")
        return RohcParameters(
            max_cid=self.max_cid,
            profiles=self.profiles,
            integrity=(0 if row is None else row.number,),
            icv_bytes=self.icv_bytes,
            mrru=self.mrru,
        )

    def encode(self) -> bytes:
        """The eleven octets."""
        row = INTEGRITY_TRANSFORMS.get(self.integrity or "")
        bits = [0, 0]
        for profile in self.profiles:
            bits[profile >> 8] |= 1 << (profile & 0xFF)
        return (
            self.max_cid.to_bytes(2, "big")
            + self.mrru.to_bytes(2, "big")
            + bytes((_MODES[self.mode], 0 if row is None else row.number, self.icv_bytes or 0))
            + bits[0].to_bytes(2, "big")
            + bits[1].to_bytes(2, "big")
        )

    @classmethod
    def decode(cls, data: bytes) -> RohcChannel:
        """The channel in eleven octets; raises :class:`~esp.errors.MalformedMessage`."""
        if len(data) != ROHC_CHANNEL_BYTES:
            raise MalformedMessage(f"a ROHC channel has {ROHC_CHANNEL_BYTES} octets")
        mode, number, icv_bytes = data[4:7]
        if mode not in _MODE_NAMES or (number and number not in _INTEGRITY_NAMES):
            raise MalformedMessage("a ROHC channel with a mode or transform that is not known")
        bits = (int.from_bytes(data[7:9], "big"), int.from_bytes(data[9:11], "big"))
        try:
            return cls(
                max_cid=int.from_bytes(data[0:2], "big"),
                mrru=int.from_bytes(data[2:4], "big"),
                mode=_MODE_NAMES[mode],
                profiles=tuple(
                    version << 8 | low
                    for version in (0, 1)
                    for low in range(16)
                    if bits[version] >> low & 1
                ),
                integrity=_INTEGRITY_NAMES[number] if number else None,
                icv_bytes=icv_bytes or None,
            )
        except InvalidParameter as error:
            raise MalformedMessage(f"a ROHC channel that can't be: {error}") from None

    def meet(self, offered: RohcChannel) -> RohcChannel | None:
        """What both can do: the smaller numbers, the lower mode, the profiles of both.

        The ROHC ICV is what ``offered`` says. None when no profile is left.
        """
        profiles = tuple(one for one in self.profiles if one in offered.profiles)
        if not profiles:
            return None
        return RohcChannel(
            max_cid=min(self.max_cid, offered.max_cid),
            mrru=min(self.mrru, offered.mrru),
            mode=min(self.mode, offered.mode, key=_MODES.__getitem__),
            profiles=profiles,
            integrity=offered.integrity,
            icv_bytes=offered.icv_bytes,
        )

    def within(self, offered: RohcChannel) -> bool:
        """Whether this asks nothing of the one who offered that was not in the offer."""
        return self == self.meet(offered)
