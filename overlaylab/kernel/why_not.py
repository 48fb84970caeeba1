"""Why this machine cannot mount an overlay: one exact sentence for the step that failed and its errno."""

from __future__ import annotations

import errno
import os

from overlaylab.words import say

REFUSED = (errno.EPERM, errno.EACCES)


def explain(mode: str, step: str, number: int, detail: str = "") -> str:
    """Explain in one sentence why a mount failed.

    Args:
        mode: ``root`` or ``user-namespace``.
        step: The step that failed: ``unshare``, ``id-map``, ``private``, ``tmpfs``, ``marks``, ``place``, ``write``,
            ``overlay``, ``child``.
        detail: More about it; by default the text of the errno, `number`.
    """
    obstacle = _obstacle(mode, step, number)
    sentence = say(f"reason.{obstacle}", step=step, detail=detail or os.strerror(number))
    return sentence if obstacle == "not-root" else f"{say(f'reason.mode.{mode}')} {sentence}"


def _obstacle(mode: str, step: str, number: int) -> str:
    """The key of the sentence in the words, under ``reason``."""
    if step in ("child", "marks", "place"):
        return step
    if step == "write":
        return "no-room" if number in (errno.ENOSPC, errno.EDQUOT) else "unknown"
    if step == "overlay" and number == errno.ENODEV:
        return "no-overlay"
    if mode != "root":
        return _user_obstacle(step, number)
    if number not in REFUSED:
        return "unknown"
    if os.geteuid() != 0:
        return "not-root"
    if not int(_status("CapEff") or "0", 16) >> 21 & 1:  # CAP_SYS_ADMIN
        return "lost-root"
    return "seccomp" if _seccomp() else "unknown"


def _user_obstacle(step: str, number: int) -> str:
    if step == "unshare" and number in (errno.ENOSPC, errno.EUSERS):
        return "max-zero" if _text_of("/proc/sys/user/max_user_namespaces") == "0" else "max-used"
    if step == "unshare" and number in (errno.EINVAL, errno.ENOSYS) and _text_of("/proc/self/uid_map") is None:
        return "no-userns"
    if number not in REFUSED:
        return "unknown"
    # The most specific reason first: each of them alone is enough for a refusal.
    if step == "unshare" and _text_of("/proc/sys/kernel/unprivileged_userns_clone") == "0":
        return "clone-off"
    if _text_of("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1":
        return "apparmor"
    if _seccomp():
        return "seccomp"
    return "old-kernel" if step == "overlay" else "unknown"


def _seccomp() -> bool:
    """Whether this process runs under a seccomp filter."""
    return _status("Seccomp") == "2"


def _status(name: str) -> str | None:
    for line in (_text_of("/proc/self/status") or "").splitlines():
        if line.startswith(name + ":"):
            return line.partition(":")[2].strip()
    return None


def _text_of(path: str) -> str | None:
    """Read a small file of /proc; None if it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return None
