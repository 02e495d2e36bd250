"""Which packets of an H.264 stream can stay undecoded when only some of its pictures are wanted.

A picture whose slices all carry nal_ref_idc 0 is a reference of no other (ITU-T H.264, 7.4.1), and nothing that
follows an IDR picture refers to what stands before it (3.69). So the decoder gives the same pictures, to the byte,
without the unwanted ones of the first kind, and without what follows the last wanted one before the next IDR picture.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

REFERENCE: Final = 1
"""Other pictures may be made from this one."""
FRESH: Final = 2
"""An IDR picture: what follows needs nothing from before."""
KEPT: Final = 4
"""Holds what later packets may need besides pictures, such as parameter sets, or what is not understood here."""

_SLICE, _IDR = 1, 5
_PASSING: Final = frozenset({6, 9, 12})  # supplemental information, delimiters, filler: of their own picture only


def length_size(extradata: bytes | None) -> int:
    """Bytes of the length before each unit, from the "avcC" record of MP4 and Matroska; 0 when it is no such record."""
    return extradata[4] % 4 + 1 if extradata and len(extradata) >= 7 and extradata[0] == 1 else 0


def role(packet: memoryview, length: int) -> int:
    """What one packet is to the others: a sum of REFERENCE, FRESH and KEPT; 0 when it can go if nobody wants it.

    Parameters
    ----------
    packet : memoryview
        One access unit, each of its units preceded by its length.
    length : int in 1 ... 4
        Bytes of that length.
    """
    found, at, slices = 0, 0, 0
    while at + length < len(packet):
        header = packet[at + length]
        unit = header & 31
        if unit in (_SLICE, _IDR):
            slices += 1
            found |= (REFERENCE if header & 0x60 else 0) | (FRESH | REFERENCE if unit == _IDR else 0)
        elif unit not in _PASSING:
            found |= KEPT
        at += length + int.from_bytes(packet[at : at + length], "big")
    return found if slices and at == len(packet) else found | REFERENCE | KEPT


def needed(roles: Sequence[int], numbers: Sequence[int], wanted: Collection[int]) -> bytearray:
    """Which packets must be decoded.

    Parameters
    ----------
    roles : sequence of int
        As `role` tells them, in decoding order. A stream of another codec is REFERENCE throughout: then all up to the
        last wanted one are needed.
    numbers : sequence of int
        Which picture each packet holds, in the order of showing; -1 for one that is never shown.
    wanted : collection of int
        Numbers of the wanted pictures.

    Returns
    -------
    bytearray [len(roles)] of 0 and 1
    """
    keep = bytearray(len(roles))
    awaited = False  # whether a wanted picture follows before the next IDR picture
    for at in range(len(roles) - 1, -1, -1):
        asked = numbers[at] in wanted
        awaited = awaited or asked
        keep[at] = asked or bool(roles[at] & KEPT) or (awaited and bool(roles[at] & REFERENCE))
        if roles[at] & FRESH:
            awaited = False
    return keep
