"""Why a mount is not possible: from a step and its errno to one exact sentence."""

from __future__ import annotations

import errno
import os

__all__ = ["WORDS", "explain"]

# What can stand in the way, in words.
WORDS = {
    "apparmor": "AppArmor keeps user namespaces without rights (kernel.apparmor_restrict_unprivileged_userns is 1)",
    "child": "the child process that mounts did not get through: {detail}",
    "clone-off": "user namespaces are switched off for users (kernel.unprivileged_userns_clone is 0)",
    "lost-root": "root has no CAP_SYS_ADMIN here, as in a container, so it cannot make a mount namespace",
    "marks": "this root cannot set trusted.* attributes, as in a user namespace, so the layers' marks would be lost",
    "max-zero": "user namespaces are switched off (user.max_user_namespaces is 0)",
    "max-used": "the limit on user namespaces is used up (user.max_user_namespaces)",
    "no-overlay": "this kernel has no overlay file system: /proc/filesystems does not list it, and it could not load the module",
    "no-room": "there is no room for the layers: {detail}",
    "no-userns": "this kernel has no user namespaces",
    "not-root": "you are not root",
    "old-kernel": "this kernel does not let a user namespace mount an overlay (Linux 5.11 and later do)",
    "place": "no place for the layers carries overlay marks: {detail}",
    "seccomp": "a seccomp filter refuses the call, as Docker's default profile does",
    "unknown": "the kernel refused the step '{step}': {detail}",
}
PREFIX = {"root": "as root: ", "user-namespace": "in a user namespace: "}
REFUSED = (errno.EPERM, errno.EACCES)


def explain(mode: str, step: str, number: int, detail: str = "") -> str:
    """Say why.

    Args:
        mode: ``root`` or ``user-namespace``.
        step: Where it ended: ``unshare``, ``id-map``, ``private``, ``tmpfs``, ``marks``, ``place``, ``write``,
            ``overlay``, ``child``.
        number: The errno.
        detail: What else is known.
    """
    obstacle = _obstacle(mode, step, number)
    sentence = WORDS[obstacle].format(step=step, detail=detail or os.strerror(number))
    return sentence if obstacle == "not-root" else PREFIX[mode] + sentence


def _obstacle(mode: str, step: str, number: int) -> str:
    """The key of the sentence in `WORDS`."""
    if step in ("child", "marks", "place"):
        return step
    if step == "write":
        return "no-room" if number in (errno.ENOSPC, errno.EDQUOT) else "unknown"
    if step == "overlay" and number == errno.ENODEV:
        return "no-overlay"
    if mode == "root":
        return _root_obstacle(step, number)
    return _user_obstacle(step, number)


def _root_obstacle(step: str, number: int) -> str:
    if number not in REFUSED:
        return "unknown"
    if os.geteuid() != 0:
        return "not-root"
    if not _has_admin():
        return "lost-root"
    return "seccomp" if _seccomp() else "unknown"


def _user_obstacle(step: str, number: int) -> str:
    if step == "unshare" and number in (errno.ENOSPC, errno.EUSERS):
        return "max-zero" if _text_of("/proc/sys/user/max_user_namespaces") == "0" else "max-used"
    if step == "unshare" and number in (errno.EINVAL, errno.ENOSYS) and _text_of("/proc/self/uid_map") is None:
        return "no-userns"
    if number not in REFUSED:
        return "unknown"
    # The more particular reason first: each of these alone is enough for a refusal.
    if step == "unshare" and _text_of("/proc/sys/kernel/unprivileged_userns_clone") == "0":
        return "clone-off"
    if _text_of("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1":
        return "apparmor"
    if _seccomp():
        return "seccomp"
    return "old-kernel" if step == "overlay" else "unknown"


def _has_admin() -> bool:
    """Whether this process has CAP_SYS_ADMIN, bit 21 of its capabilities."""
    return bool(int(_status("CapEff") or "0", 16) >> 21 & 1)


def _seccomp() -> bool:
    """Whether a seccomp filter is on this process."""
    return _status("Seccomp") == "2"


def _status(name: str) -> str | None:
    for line in (_text_of("/proc/self/status") or "").splitlines():
        if line.startswith(name + ":"):
            return line.partition(":")[2].strip()
    return None


def _text_of(path: str) -> str | None:
    """The text of a small file of the kernel, or None if there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return None
