"""Digests: a digest names exact bytes; change one byte and the name changes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from overlaylab.errors import Finding

# The registered algorithms and the number of hex digits of each.
# image-spec, descriptor.md, "Registered Algorithms".
ALGORITHMS = {"sha256": 64, "sha512": 128}

_SYNTAX = re.compile(r"[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+")

_HEX = re.compile(r"[0-9a-f]+")


class Digest(str):
    """A checked digest: a string ``algorithm:hex`` that names exact bytes.

    Args:
        text: For example ``sha256:`` and 64 lower-case hex digits.
        where: Where the text was found, for the error message.

    Raises:
        Finding: ``bad-digest`` if the text is not of that form,
            ``unsupported-digest-algorithm`` if the algorithm is neither sha256 nor sha512.

    Spec:
        image-spec, descriptor.md, "Digests".
    """

    __slots__ = ()

    def __new__(cls, text: str, where: str = "digest") -> Self:
        """Check the text; what is a `Digest` already was checked when it was made."""
        if isinstance(text, Digest):
            return super().__new__(cls, text)
        if not isinstance(text, str) or not _SYNTAX.fullmatch(text):
            raise Finding("bad-digest", where, "algorithm:hex", text)
        algorithm, _, encoded = text.partition(":")
        if algorithm not in ALGORITHMS:
            raise Finding("unsupported-digest-algorithm", where, " or ".join(ALGORITHMS), algorithm)
        if len(encoded) != ALGORITHMS[algorithm] or not _HEX.fullmatch(encoded):
            expected = f"{ALGORITHMS[algorithm]} lower-case hex digits after {algorithm}:"
            raise Finding("bad-digest", where, expected, text)
        return super().__new__(cls, text)

    @classmethod
    def of(cls, data: bytes, algorithm: str = "sha256") -> Self:
        """Hash these bytes, all of them, exactly as they are."""
        return cls(f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}")

    @property
    def algorithm(self) -> str:
        """The part before the colon."""
        return self.partition(":")[0]

    @property
    def hex(self) -> str:
        """The part after the colon, all hex digits."""
        return self.partition(":")[2]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"


class DiffID(Digest):
    """The digest of one layer's uncompressed tar, a changeset. Spec: image-spec, config.md, "Layer DiffID"."""

    __slots__ = ()


class ChainID(Digest):
    """The digest that names the filesystem after a stack of layers is applied.

    Spec: image-spec, config.md, "Layer ChainID".
    """

    __slots__ = ()


class ImageID(Digest):
    """The digest of the image config's bytes. Spec: image-spec, config.md, "ImageID"."""

    __slots__ = ()


def digest_bytes(data: bytes, algorithm: str = "sha256") -> Digest:
    """Hash these exact bytes.

    Args:
        data: All the bytes, exactly as they are: the same JSON formatted differently is different bytes.
        algorithm: ``sha256`` or ``sha512``.

    Spec:
        image-spec, descriptor.md, "Digests".

    Example:
        >>> digest_bytes(b"") == digest_bytes(b"\\n")
        False
    """
    return Digest.of(data, algorithm)


def verify(data: bytes, expected: Digest, where: str = "blob") -> None:
    """Check that the bytes have the expected digest, using the algorithm that it names.

    Raises:
        Finding: ``digest-mismatch`` with both digests.
    """
    actual = Digest.of(data, expected.algorithm)
    if actual != expected:
        raise Finding("digest-mismatch", where, expected, actual)


def chain_text(parent: ChainID, diff_id: DiffID) -> str:
    """The exact text that is hashed for one step of the chain: both digests in full, one space, no newline.

    Spec: image-spec, config.md, "Layer ChainID".
    """
    return f"{parent} {diff_id}"


def chain_ids(diff_ids: Iterable[DiffID]) -> tuple[ChainID, ...]:
    """Compute the chain_id of every layer in a stack.

    A diff_id names one changeset. A chain_id names the result of applying that changeset to
    everything beneath it, so the same changeset on another base has another chain_id.

    Args:
        diff_ids: Bottom layer first, as in ``rootfs.diff_ids``.

    Returns:
        One chain_id per layer, bottom first. The first equals ``diff_ids[0]``.

    Spec:
        image-spec, config.md, "Layer ChainID".

    Example:
        >>> base, top = DiffID.of(b"base"), DiffID.of(b"top")
        >>> chain_ids([base, top])[1] == ChainID.of(f"{base} {top}".encode())
        True
    """
    chain: list[ChainID] = []
    for diff_id in diff_ids:
        if not chain:
            # The bottom layer's chain_id is its diff_id, which was checked when it was made.
            chain.append(str.__new__(ChainID, diff_id))
        else:
            chain.append(ChainID.of(chain_text(chain[-1], diff_id).encode("ascii")))
    return tuple(chain)


def short(digest: str, digits: int = 12) -> str:
    """The first hex digits, as engines print them: no algorithm, no ellipsis."""
    return digest.partition(":")[2][:digits] if ":" in digest else digest[:digits]


class Hasher:
    """Computes digests incrementally, so that no layer is held in memory whole.

    Args:
        algorithms: One or more of ``sha256`` and ``sha512``.
    """

    def __init__(self, *algorithms: str) -> None:
        self._hashes = {name: hashlib.new(name) for name in algorithms or ("sha256",)}
        self.size = 0

    def update(self, data: bytes | memoryview) -> None:
        """Feed the next piece."""
        self.size += len(data)
        for value in self._hashes.values():
            value.update(data)

    def digest(self, algorithm: str = "sha256") -> Digest:
        """The digest of everything fed so far."""
        return Digest(f"{algorithm}:{self._hashes[algorithm].hexdigest()}")

    def names(self) -> Names:
        """The size and the digests of everything fed so far."""
        return Names(self.size, {name: self.digest(name) for name in self._hashes})


@dataclass(frozen=True, slots=True)
class Names:
    """The size in bytes of what was hashed to its end, and its digests by algorithm."""

    size: int
    digests: dict[str, Digest]
