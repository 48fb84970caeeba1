"""Everything that can be wrong with an input: one hierarchy of errors, and one table of the kinds of problems.

    OverlayLabError
      InputError(ValueError)            has a problem: kind, where, expected, found
        Finding                         a part of the input is wrong; a reader may go on with the rest
        NotReadable                     the input as a whole cannot be read
        NoSuchImage(LookupError)        IMAGE matches nothing, or several images that differ
      KernelUnavailable(RuntimeError)   a real mount is not possible here: reason

A `Problem` is such an error as data. A reader that can go on collects problems, otherwise it raises an error. The
severity and the sentence for people are in `KINDS` and nowhere else.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

__all__ = [
    "KINDS",
    "Finding",
    "InputError",
    "KernelUnavailable",
    "NoSuchImage",
    "NotReadable",
    "OverlayLabError",
    "Problem",
    "error_name",
    "fail",
]

TEXT = {
    errno.EPERM: "Operation not permitted",
    errno.ENOENT: "No such file or directory",
    errno.EIO: "Input/output error",
    errno.ENXIO: "No such device or address",
    errno.EBADF: "Bad file descriptor",
    errno.EACCES: "Permission denied",
    errno.EBUSY: "Device or resource busy",
    errno.EEXIST: "File exists",
    errno.EXDEV: "Invalid cross-device link",
    errno.ENOTDIR: "Not a directory",
    errno.EISDIR: "Is a directory",
    errno.EINVAL: "Invalid argument",
    errno.EFBIG: "File too large",
    errno.EROFS: "Read-only file system",
    errno.ENAMETOOLONG: "File name too long",
    errno.ENOTEMPTY: "Directory not empty",
    errno.ELOOP: "Too many levels of symbolic links",
    errno.ENODATA: "No data available",
    errno.EOVERFLOW: "Value too large for defined data type",
    errno.EAGAIN: "Resource temporarily unavailable",
    errno.EPIPE: "Broken pipe",
    errno.ENODEV: "No such device",
    errno.EOPNOTSUPP: "Operation not supported",
    errno.ESPIPE: "Illegal seek",
    errno.ESTALE: "Stale file handle",
}


def error_name(number: int) -> str:
    """The name of an errno; where two names share a number, the one in Linux's manual pages."""
    return "EOPNOTSUPP" if number == errno.EOPNOTSUPP else errno.errorcode.get(number, f"errno {number}")


def fail(number: int, path: str = "") -> OSError:
    """Make the error of a failed system call; Python chooses the subclass of OSError by the number."""
    return OSError(number, TEXT.get(number, errno.errorcode.get(number, "error")), *([path] if path else []))


ERROR, WARNING = "error", "warning"

# Kind -> (severity, its meaning in words for people). A closed list.
KINDS: dict[str, tuple[str, str]] = {
    "absolute-name": (WARNING, "a layer member has an absolute name; it is read as relative to the image's root"),
    "absurd-size": (ERROR, "a size that the input cannot hold"),
    "ambiguous-image": (ERROR, "the name or ID fits several images that differ"),
    "bad-checksum": (ERROR, "a bolt file without a valid meta page"),
    "bad-compression": (ERROR, "compressed data is broken, cut short, or fails its checksum"),
    "bad-config": (ERROR, "an image config without what it must have"),
    "bad-digest": (ERROR, "a digest that is not algorithm:hex"),
    "bad-json": (ERROR, "not JSON, or cut short"),
    "bad-layer": (ERROR, "a layer that is no tar"),
    "bad-manifest": (ERROR, "JSON of the wrong shape"),
    "bad-page": (ERROR, "a bolt element that points outside its page"),
    "bad-tar-header": (ERROR, "a tar header with a wrong checksum or an impossible number"),
    "bad-whiteout": (ERROR, "a whiteout of nothing, of '.' or of '..'"),
    "bookkeeping-member": (WARNING, "an AUFS leftover; it is ignored"),
    "chain-mismatch": (ERROR, "a layerdb folder whose name is not the chain_id of its diff and parent"),
    "changed-while-reading": (WARNING, "the store changed while it was read"),
    "crc-mismatch": (ERROR, "a file's content is not what tar-split recorded"),
    "dangling-hardlink": (ERROR, "a hard link to a name that is nowhere"),
    "dangling-link": (ERROR, "a short name in l/ that leads nowhere"),
    "device-whiteout": (ERROR, "a character device 0:0 in a layer tar; on an overlay it would delete a name"),
    "diffid-mismatch": (
        ERROR,
        "a layer whose uncompressed bytes have another digest than the config says, "
        "or whose folder is not what they say",
    ),
    "digest-mismatch": (ERROR, "bytes that have another digest than their name or descriptor says"),
    "duplicate-entry": (WARNING, "a path that occurs twice in one layer; the later one counts"),
    "duplicate-json-key": (ERROR, "a key that occurs twice in one JSON object"),
    "duplicate-member": (ERROR, "a member that occurs twice in an archive, so that readers disagree on which counts"),
    "empty": (ERROR, "there are no bytes"),
    "empty-index": (ERROR, "an index that names nothing"),
    "history-mismatch": (WARNING, "history entries that are not empty and diff_ids differ in number"),
    "index-cycle": (ERROR, "an index that contains itself"),
    "index-depth": (ERROR, "indexes nested beyond the limit"),
    "kernel-unavailable": (ERROR, "a real mount is not possible here"),
    "layer-count": (ERROR, "manifest and config disagree on the number of layers"),
    "legacy-v1": (ERROR, "an archive from before Docker 1.10: it has no config and no diff_ids"),
    "limit": (ERROR, "more expansion, entries or depth than the set limit"),
    "lower-mismatch": (ERROR, "a folder's lower list is not the chain of its parents"),
    "media-type-mismatch": (WARNING, "the media type says another compression than the bytes; the bytes decide"),
    "missing-blob": (ERROR, "a blob that a descriptor names is absent"),
    "missing-cache-dir": (ERROR, "a cache-id without its folder"),
    "missing-content": (ERROR, "a file that tar-split names is absent"),
    "missing-image": (WARNING, "a tag whose config is absent"),
    "missing-layer": (ERROR, "a layer that an image, a container or a child needs is absent"),
    "missing-member": (ERROR, "a member that manifest.json names is absent"),
    "name-mismatch": (WARNING, "a config whose file name is not its digest; the digest counts"),
    "no-layerdb": (ERROR, "a Docker root without a layerdb: another storage driver, or the containerd image store"),
    "no-op-whiteout": (WARNING, "a whiteout of a name that is not below; it deletes nothing"),
    "no-such-image": (ERROR, "no image or container has this name or ID"),
    "not-a-container-image": (ERROR, "an OCI artifact, not a container image"),
    "not-an-image": (ERROR, "readable, but no image archive, layout or store"),
    "not-bolt": (ERROR, "not a bolt file"),
    "not-found": (ERROR, "there is nothing at this path"),
    "opaque-root": (WARNING, "an opaque mark on a layer's own root; engines and the specification differ"),
    "page-cycle": (ERROR, "bolt pages that lead back to themselves"),
    "parent-cycle": (ERROR, "layers that are their own ancestors"),
    "path-escape": (ERROR, "a name, link or number that leads outside"),
    "permission-denied": (ERROR, "this may not be read by you"),
    "size-mismatch": (ERROR, "a blob or file of another size than recorded"),
    "symlink-loop": (ERROR, "symlinks that lead to themselves"),
    "tarsplit-order": (ERROR, "tar-split positions with a gap or out of order"),
    "truncated": (ERROR, "the input ends early"),
    "unsupported-digest-algorithm": (ERROR, "a digest algorithm that is not known"),
    "unsupported-driver": (ERROR, "a Docker root of another storage driver"),
    "unsupported-mark": (ERROR, "a redirect or metacopy mark that cannot be followed"),
    "unsupported-media-type": (ERROR, "a layer of a type that is no known layer type; it is not read"),
    "unsupported-schema1": (ERROR, "a schema 1 manifest: it has no config and no diff_ids"),
    "unsupported-version": (ERROR, "an OCI layout version that is not known"),
    "views-differ": (WARNING, "manifest.json and index.json of one archive disagree"),
    "whiteout-conflict": (ERROR, "a name and then its own whiteout in one layer"),
    "wrong-call": (ERROR, "the call itself is wrong"),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with an input: its kind, its place, what was expected and what was found.

    Args:
        kind: A key of `KINDS`.
        where: The place in the input, such as ``manifest.layers[3].size``.
        expected: What should be there, as text.
        found: What is there, as text.
    """

    kind: str
    where: str
    expected: str = ""
    found: str = ""

    @property
    def severity(self) -> str:
        """``error`` or ``warning``, from `KINDS`."""
        return KINDS[self.kind][0]

    def __str__(self) -> str:
        text = f"{self.kind} at {self.where}: {KINDS[self.kind][1]}"
        if self.expected or self.found:
            text += f" (expected {self.expected or 'nothing'}, found {self.found or 'nothing'})"
        return text


class OverlayLabError(Exception):
    """The base class of all errors that this package raises on purpose."""

    def _render_traceback_(self) -> list[str]:
        """What IPython shows instead of a traceback: one sentence."""
        return [f"{type(self).__name__}: {self}"]


class InputError(OverlayLabError, ValueError):
    """Something is wrong with an input; `problem` describes it as data, and has the same arguments."""

    def __init__(self, kind: str, where: str, expected: object = "", found: object = "") -> None:
        self.problem = Problem(kind, where, _short(expected), _short(found))
        super().__init__(str(self.problem))


class Finding(InputError):
    """A part of the input is wrong; the other parts may be sound."""


class NotReadable(InputError):
    """The input as a whole cannot be read: no image can be listed. `problems` has everything that is wrong."""

    def __init__(self, kind: str, where: str, expected: object = "", found: object = "") -> None:
        super().__init__(kind, where, expected, found)
        self.problems: tuple[Problem, ...] = (self.problem,)

    @classmethod
    def of(cls, problems: Sequence[Problem]) -> Self:
        """Make one error of several problems; the message is that of the first one of severity ``error``."""
        first = next((problem for problem in problems if problem.severity == ERROR), problems[0])
        error = cls(first.kind, first.where, first.expected, first.found)
        error.problems = tuple(problems)
        return error


class NoSuchImage(InputError, LookupError):
    """A name or ID that matches no image, or several images that differ."""


class KernelUnavailable(OverlayLabError, RuntimeError):
    """A real overlay mount is not possible here; `reason` is a sentence that says why."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def _short(value: object, limit: int = 2000) -> str:
    """The value as text of at most `limit` characters, so that a hostile input cannot flood a message."""
    text = value if isinstance(value, str) else repr(value) if isinstance(value, bytes) else str(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"
