"""One stack of layers, mounted by the real kernel and by the model, compared after every operation.

Both sides get the operations and nothing else of each other; what counts as equal
says `overlaylab.compare`. This process must stand in a mount namespace of its own,
in a folder of its own tmpfs: see `enter`.
"""

import errno
import os
import shutil
import stat

from overlaylab.access import error_name
from overlaylab.compare import Sights, first_difference, seen, stored
from overlaylab.experiments import layer
from overlaylab.invariants import Guard
from overlaylab.kernel.watch import fingerprint
from overlaylab.ops import Op, run
from overlaylab.posix import Stat
from overlaylab.system import MS_RDONLY, System
from overlaylab.tree import Directory, Inode

from tests.kernel import live

CLONE_NEWUSER = 0x10000000
PLACES = ("/mnt", "/media", "/srv", "/opt")
MOST_LOWERS = 5
# Where the model is known not to follow the kernel, and why that is left so; nothing is compared there.
NOT_SETTLED = {
    "readdir of an open directory that was removed": "ENOENT; the model does not know which directories are dead",
    "fchmod and fchown of an open special file or directory that was removed": "copied up into what took its place; EIO if its "
    "directory is gone too, which the model does not know",
}


def enter(mode):
    """Leave the machine's mounts for ever, and stand in an empty tmpfs that nobody else sees.

    In mode ``user`` this process becomes root of a user namespace and of nothing else,
    whoever it was before. All the rest of the machine becomes read-only here, so that no
    operation can reach it. All of it ends with the process.
    """
    uid, gid = os.geteuid(), os.getegid()
    if mode == "user":
        live.call("unshare", CLONE_NEWUSER | live.CLONE_NEWNS)
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                file.write(text)
    else:
        live.call("unshare", live.CLONE_NEWNS)
        os.setgroups([])
    live.mount("none", "/", "", live.MS_PRIVATE_ALL, "")
    live.make_read_only("/")
    place = next(place for place in PLACES if os.path.isdir(place))
    live.mount("none", place, "tmpfs", 0, "mode=755")
    os.chdir(place)
    os.umask(0o022)


class Sweeper:
    """A process that unmounts and removes what is done with: an unmount waits long for the kernel."""

    def __init__(self):
        here, self._pipe = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._pipe)
            try:
                with open(here, encoding="ascii") as names:
                    for name in names:
                        sweep(name.strip())
            finally:
                os._exit(0)
        os.close(here)

    def sweep(self, name):
        """Take a case's folder away, some time."""
        os.write(self._pipe, f"{name}\n".encode("ascii"))

    def finish(self):
        """Wait until all is taken away."""
        os.close(self._pipe)
        os.waitpid(self._pid, 0)


def sweep(folder):
    """Unmount what lies in a folder, and remove it."""
    try:
        live.umount(f"{folder}/m")
    except OSError:
        pass
    shutil.rmtree(folder)


class Pair:
    """One case on both sides.

    Args:
        case: What to mount.
        folder: A name that is not taken, in the folder where this process stands.
    """

    def __init__(self, case, folder):
        self.case, self.folder, self.home = case, folder, os.getcwd()
        os.mkdir(folder)
        os.chdir(folder)
        marks = "user.overlay." if "userxattr" in case.options else "trusted.overlay."
        if case.mode == "user":
            marks = "user.overlay."
        self.names = [f"l{i}" for i in range(len(case.lowers))]
        self.disk = {name: layer(entries, i, marks) for i, (name, entries) in enumerate(zip(self.names, case.lowers))}
        self.disk["m"] = Directory()
        if case.upper is not None:
            self.disk |= {"u": layer(case.upper, 9, marks), "w": Directory()}
        for name, node in self.disk.items():
            live.build(name, node)
        os.umask(0o022)
        self.real, self.model = live.Live(), System(Directory(names=self.disk), userns=case.mode == "user")
        self.sights = Sights(), Sights()
        self.listing = None
        self.refused = self._mount()

    # --- mounting

    def data(self):
        """The mount options with the layers."""
        words = ["lowerdir=" + ":".join(self.names)] + (["upperdir=u,workdir=w"] if self.case.upper is not None else [])
        return ",".join(filter(None, [*words, self.case.options]))

    def _mount(self):
        """Mount on both sides.

        Returns:
            Whether both refused.

        Raises:
            Disagreement: Only one did, or for another reason.
        """
        flags = MS_RDONLY if self.case.read_only else 0
        kernel = outcome(self._mount_again)
        model = outcome(lambda: self.model.mount("m", self.data(), flags))
        if kernel != model:
            raise Disagreement(f"mount: kernel {kernel}, model {model}")
        if kernel != "works":
            return True
        self.model.chdir("m")
        self._begin()
        return False

    def _begin(self):
        self.guard = Guard(self.overlay)
        self.lowers = [fingerprint(f"../{name}") for name in self.names]
        self.listing = None

    @property
    def overlay(self):
        """The model's overlay."""
        return self.model.cwd.fs

    def _leave(self):
        self.real.close_all()
        os.chdir("..")
        live.umount("m")

    def _remount(self):
        self._leave()
        self._mount_again()
        self.model.remount()
        self._begin()

    def _mount_again(self):
        live.mount("o", "m", "overlay", MS_RDONLY if self.case.read_only else 0, self.data())
        os.chdir("m")

    def _rotate(self):
        """The upper becomes the topmost lower layer, as a commit does."""
        self._leave()
        name = f"l{len(self.names)}"
        os.rename("u", name)
        # The old work directory stays: with index=on its entries count as links.
        os.rename("w", f"w{len(self.names)}")
        self.names.insert(0, name)
        live.build("u", Directory())
        os.mkdir("w", 0o755)
        self._mount_again()
        self.model.rotate()
        self._begin()

    def finish(self):
        """Compare everything once more, without what was remembered."""
        self.listing = None
        self.compare()
        self.compare()

    def close(self, sweeper):
        """Leave the case; the sweeper does the rest."""
        self.real.close_all()
        os.chdir(self.home)
        sweeper.sweep(self.folder)

    # --- one operation

    def step(self, operation):
        """Run an operation on both sides.

        Returns:
            What the model did; None for a remount.

        Raises:
            Disagreement: With the first difference in words.
        """
        self.model.journal.take()
        if operation.call in ("remount", "rotate"):
            fixed = self.case.upper is None or self.case.read_only or len(self.names) >= MOST_LOWERS
            if not (operation.call == "rotate" and fixed):
                self._remount() if operation.call == "remount" else self._rotate()
                self.listing = None
            self.compare()
            return None
        if self._unsettled(operation):
            operation = Op("lstat", {"path": "."})
        step = run(self.model, operation)
        changed = self._changed(step.changes)
        kernel, value = self._really(operation)
        if kernel != (step.error or "works"):
            raise Disagreement(f"kernel {kernel}, model {step.error or 'works'}")
        if kernel == "works":
            self._compare_values(operation, value, step.value)
        self.compare(deep=changed)
        return step

    def _unsettled(self, operation):
        """Whether an operation is one of `NOT_SETTLED`."""
        number = self.real.files.get(operation.args.get("fd"))
        if number is None or operation.call not in ("readdir", "fchmod", "fchown"):
            return False
        regular = stat.S_ISREG(os.fstat(number).st_mode)
        return not regular and os.readlink(f"/proc/self/fd/{number}").endswith(" (deleted)")

    def _changed(self, changes):
        """Whether more than open files was changed; then the model's listing must be made anew."""
        changed = any(isinstance(change.thing, Inode) or (isinstance(change.thing, dict) and change.thing is not self.model.files) for change in changes)
        if changed:
            self.listing = None
        return changed

    def _really(self, operation):
        """Run an operation on the kernel as its caller; the error's name or "works", and the value."""
        value = None

        def act():
            nonlocal value
            value = getattr(self.real, operation.call)(**operation.args)

        if self.case.mode == "user":
            return outcome(act), value
        try:
            os.setegid(operation.gid)
            os.seteuid(operation.uid)
            return outcome(act), value
        finally:
            os.seteuid(0)
            os.setegid(0)

    def _compare_values(self, operation, real, model):
        if isinstance(model, Stat):
            for key in ("st_mode", "st_uid", "st_gid", "st_nlink", "st_size", "st_rdev"):
                sized = key != "st_size" or real.st_mode & 0o170000 != 0o040000
                if sized and getattr(real, key) != getattr(model, key):
                    raise Disagreement(f"{key}: kernel {getattr(real, key)}, model {getattr(model, key)}")
        elif operation.call not in ("open", "opendir") and real != model:
            raise Disagreement(f"kernel gives {real!r}, model {model!r}")

    def compare(self, deep=True):
        """Compare upper, merged tree and lower layers as they are now.

        What listing the merged tree writes into the upper is compared with the next operation.

        Args:
            deep: Whether the model's lower layers are compared too, which only a change can have changed.

        Raises:
            Disagreement: With the first difference in words.
        """
        if self.case.upper is not None:
            differ("upper", stored(live.taken("../u")), stored(self.overlay.upperdir))
        self.guard.check(deep)
        listing = self.listing
        if listing is None:
            self.listing = listing = seen(self.model, self.sights[1])
            self._changed(self.model.journal.take()[0])
        differ("merged", seen(self.real, self.sights[0]), listing)
        for name, before in zip(self.names, self.lowers):
            if before != fingerprint(f"../{name}"):
                raise Disagreement(f"the kernel changed the lower layer {name}")


class Disagreement(Exception):
    """Kernel and model differ."""


def outcome(act):
    """What came of a call: the name of its error, or "works"."""
    try:
        act()
    except OSError as error:
        return error_name(error.errno)
    return "works"


def differ(what, kernel, model):
    """Refuse two listings that are not alike. In the words, expected is the kernel's, found the model's."""
    if said := first_difference(kernel, model):
        raise Disagreement(f"{what}: {said}")
