"""Who wrote the lines of a trace: of a run that was brought in, other tenants wrote the first of them. Pure.

The row says so, and the row can be changed: only what the hashes of lines bear out is believed. Each line hashes the
number of the tenant that wrote it, so a line under another number than one's own proves that it came from there.
"""

from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Origins:
    """(tenant, seq), in order: the lines up to this seq were written by this tenant. The rest are one's own."""

    own: int
    pairs: tuple[tuple[int, int], ...] = ()
    is_sound: bool = True

    @classmethod
    def read(cls, said: Any, own: int, length: int) -> Self:
        """What a run with so many lines says. What no import writes is not sound, and tells nothing."""
        if isinstance(said, list | tuple) and all(map(_is_pair, said)):
            pairs = tuple((tenant, last) for tenant, last in said)
            ends = [last for _, last in pairs]
            if ends == sorted(ends) and (not ends or ends[-1] <= length):
                return cls(own, pairs)
        return cls(own, is_sound=False)

    def writer(self, seq: int) -> int:
        """The tenant that a line was hashed under."""
        return next((tenant for tenant, last in self.pairs if seq <= last), self.own)

    @property
    def foreign(self) -> int:
        """The last line that another tenant wrote, or 0: a run is an imported one as far as its hashes need it."""
        found = before = 0
        for tenant, last in self.pairs:
            if tenant != self.own and last > before:
                found = last
            before = last
        return found


def _is_pair(one: Any) -> bool:
    return (
        isinstance(one, list | tuple) and len(one) == 2 and all(type(part) is int and 0 < part < 2**63 for part in one)
    )
