"""Least significant bits encoding, simple and window-based (RFC 3095 sections 4.5.1 and 4.5.2).

A value is sent as its k least significant bits. The receiver takes the one value with those bits
inside the interpretation interval

    f(v_ref, k) = [v_ref - p, v_ref + (2^k - 1) - p]

of size 2^k around the reference v_ref, the last value that a CRC has verified. The sender does not
know which of the values that it sent lately is the receiver's v_ref; it keeps them in a window, and
k bits suffice when the value lies in the interval of every one of them.

All arithmetic is modulo 2^16 or 2^32, given as a mask.
"""

from __future__ import annotations

__all__ = ["Window", "decode", "lies_within", "rtp_shift"]


def decode(reference: int, bits: int, k: int, p: int, mask: int) -> int:
    """The value in f(reference, k) whose k least significant bits are `bits`."""
    low = reference - p
    return (low + ((bits - low) & ((1 << k) - 1))) & mask


def lies_within(reference: int, value: int, k: int, p: int, mask: int) -> bool:
    """Whether `value` lies in the interpretation interval f(reference, k)."""
    return ((value - reference + p) & mask) < (1 << k)


def rtp_shift(k: int) -> int:
    """The p of the RTP and ESP sequence number sent with k bits (RFC 3095 section 5.7)."""
    return 1 if k <= 4 else (1 << (k - 5)) - 1


class Window:
    """The sender's sliding window of candidates for v_ref (RFC 3095 section 4.5.2).

    Args:
        width: the number of values kept in U- and O-mode.
        mask: 0xFFFF or 0xFFFFFFFF, the field's modulus less one.
    """

    __slots__ = ("mask", "numbers", "values", "width")

    def __init__(self, width: int, mask: int) -> None:
        self.width = width
        self.mask = mask
        self.values: list[int] = []
        self.numbers: list[int] = []

    def add(self, number: int, value: int) -> None:
        """Remember that `value` was sent, protected by a CRC, in the packet with SN `number`."""
        values = self.values
        values.append(value)
        self.numbers.append(number)
        if len(values) > self.width:
            del values[0]
            del self.numbers[0]

    def clear(self) -> None:
        """Forget everything: the receiver has no reference."""
        self.values.clear()
        self.numbers.clear()

    def suffices(self, value: int, k: int, p: int) -> bool:
        """Whether k bits carry `value` whatever candidate the receiver uses."""
        mask = self.mask
        limit = 1 << k
        for reference in self.values:
            if (value - reference + p) & mask >= limit:
                return False
        return bool(self.values)

    def is_long(self) -> bool:
        """Whether it is time to let the receiver acknowledge a newer reference (R-mode)."""
        return len(self.values) > 1

    def agrees(self, value: int) -> bool:
        """Whether every candidate is `value`, so that no bit need be sent."""
        for reference in self.values:
            if reference != value:
                return False
        return bool(self.values)

    def keep(self, packets: int) -> None:
        """Drop all but the last so many candidates, of which there is one per packet."""
        del self.values[:-packets]
        del self.numbers[:-packets]

    def acknowledge(self, number: int, mask: int) -> None:
        """Drop what is older than the packet with SN `number`, which the receiver verified.

        The receiver's reference is then what that packet, or the last one kept before it, gave.

        Args:
            number: the SN.
            mask: the modulus of the SN less one.
        """
        numbers = self.numbers
        half = (mask >> 1) + 1
        for index in range(len(numbers) - 1, 0, -1):
            if (number - numbers[index]) & mask < half:
                del numbers[:index]
                del self.values[:index]
                return
