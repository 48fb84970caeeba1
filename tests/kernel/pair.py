"""One stack of layers, mounted by the real kernel and by the model, compared after every operation.

Both sides get the operations and nothing else of each other; what counts as equal
says `overlaylab.linux.proof.compare`. This process must stand in a mount namespace of its own,
in a folder of its own tmpfs: see `places`.
"""

import os
import stat

from overlaylab.errors import error_name
from overlaylab.linux.mounts import MS_RDONLY
from overlaylab.linux.operations import Op, run
from overlaylab.linux.proof.compare import Identities, first_difference, layer_listing, mount_listing
from overlaylab.linux.proof.invariants import Guard
from overlaylab.linux.system import System
from overlaylab.overlay.filesystem import Stat
from overlaylab.tree import Directory, Inode
from tests.kernel import live
from tests.kernel.cases import layer

MOST_LOWERS = 5


class Pair:
    """One case on both sides.

    Args:
        case: What to mount.
        folder: A name that is not taken, in the folder where this process stands.
        builder: Writes and reads layers: see `places`.
    """

    def __init__(self, case, folder, builder):
        self.case, self.folder, self.home = case, folder, os.getcwd()
        os.mkdir(folder)
        os.chdir(folder)
        marks = "user.overlay." if "userxattr" in case.options else "trusted.overlay."
        if case.mode != "root":
            marks = "user.overlay."
        self.names = [f"l{i}" for i in range(len(case.lowers))]
        self.disk = {
            name: layer(entries, i, marks)
            for i, (name, entries) in enumerate(zip(self.names, case.lowers, strict=False))
        }
        self.disk["m"] = Directory()
        if case.upper is not None:
            self.disk |= {"u": layer(case.upper, 9, marks), "w": Directory()}
        self._builder, self._place = builder, os.getcwd()
        builder.build(self._place, self.disk)
        os.umask(0o022)
        self.real, self.model = live.Live(), System(Directory(names=self.disk), userns=case.mode != "root")
        self.identities = Identities(), Identities()
        self.listing = None
        # Whether there is nothing more to do here: see `Case.frozen` and `compare`.
        self.frozen = case.frozen
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
            os.chdir(self.home)
            raise Disagreement(f"mount: kernel {kernel}, model {model}")
        if kernel != "works":
            return True
        self.model.chdir("m")
        self._begin()
        return False

    def _begin(self):
        self.guard = Guard(self.overlay)
        self.lowers = [self._builder.fingerprint(f"{self._place}/{name}") for name in self.names]
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
        if operation.call == "lseek" and operation.args["position"] and self._is_directory(operation.args["fd"]):
            operation = Op("lstat", {"path": "."})
        nameless = self._nameless(operation)
        step = run(self.model, operation)
        changed = self._changed(step.changes)
        kernel, value = self._really(operation)
        if kernel != (step.error or "works"):
            raise Disagreement(f"kernel {kernel}, model {step.error or 'works'}")
        if kernel == "works":
            self._compare_values(operation, value, step.value)
            if nameless:
                # What took its name is still in the kernel's cache of names: see
                # `overlaylab.linux.proof.compare.NOT_COMPARED`.
                self._compare_upper()
                self._remount()
        self.compare(deep=changed)
        return step

    def _is_directory(self, fd):
        return fd in self.real.files and stat.S_ISDIR(os.fstat(self.real.files[fd]).st_mode)

    def _nameless(self, operation):
        """Whether an operation copies something up that was removed while open, and takes a name that way."""
        number = self.real.files.get(operation.args.get("fd"))
        if number is None or operation.call not in ("fchmod", "fchown"):
            return False
        regular = stat.S_ISREG(os.fstat(number).st_mode)
        return not regular and os.readlink(f"/proc/self/fd/{number}").endswith(" (deleted)")

    def _changed(self, changes):
        """Whether more than open files was changed; then the model's listing must be made anew."""
        changed = any(
            isinstance(change.thing, Inode) or (isinstance(change.thing, dict) and change.thing is not self.model.files)
            for change in changes
        )
        if changed:
            self.listing = None
        return changed

    def _really(self, operation):
        """Run an operation on the kernel as its caller; the error's name or "works", and the value."""
        value = None

        def act():
            nonlocal value
            value = getattr(self.real, operation.call)(**operation.args)

        if self.case.mode != "root":
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
        self._compare_upper()
        self.guard.check(deep)
        listing = self.listing
        if listing is None:
            self.listing = listing = mount_listing(self.model, self.identities[1])
            self._changed(self.model.journal.take()[0])
        kernel = mount_listing(self.real, self.identities[0])
        if self.case.spoilt and any("listing_errno" in item for item in kernel):
            self.frozen = True
            return
        differ("merged", kernel, listing)
        for name, before in zip(self.names, self.lowers, strict=False):
            if before != self._builder.fingerprint(f"{self._place}/{name}"):
                raise Disagreement(f"the kernel changed the lower layer {name}")

    def _compare_upper(self):
        if self.case.upper is not None:
            differ(
                "upper", layer_listing(self._builder.taken(f"{self._place}/u")), layer_listing(self.overlay.upperdir)
            )


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
