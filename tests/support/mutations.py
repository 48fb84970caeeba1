"""Central rules of the model, each broken on purpose, and which proof notices it.

    python -m tests.support.mutations [--kernel]

A proof that no mistake can fail proves nothing. Each line says how many recorded
vectors fail and the first of them; with ``--kernel`` also how many generated
operations it takes until the model and this kernel differ.
"""

import argparse
import sys
from pathlib import Path
from unittest.mock import patch

from overlaylab.linux import names as posix
from overlaylab.linux.permissions import STICKY
from overlaylab.linux.proof.mutants import BROKEN, Mutant, instead
from overlaylab.overlay import changes, marked_lookup
from overlaylab.overlay.lookup import names_of
from overlaylab.overlay.overlay import Overlay
from overlaylab.overlay.overlay_xattrs import OverlayXattrs
from overlaylab.overlay.whiteouts import TRUSTED, is_whiteout
from overlaylab.tree import Directory
from tests.support import vectors

RECORDED = Path(__file__).parent.parent / "data" / "overlay-vectors"


class Mutation(Mutant):
    """A rule, and the contexts in which every part of the model breaks it."""

    def patches(self):
        """Contexts in which the rule is broken."""
        return (patch.object(self.owner, self.attribute, self.wrong(getattr(self.owner, self.attribute))),)


def as_in(name, rule):
    """A rule that the package itself can break, under the name of what it says."""
    return Mutation(name, BROKEN[rule].owner, BROKEN[rule].attribute, BROKEN[rule].wrong)


def from_the_bottom(right):
    """Copy a directory's attributes from its lowest part."""
    return lambda overlay, node, lower, *more: right(
        overlay, node, node.lowers[-1].inode if isinstance(lower, Directory) else lower, *more
    )


def time_stays(right):
    """Make a name without a new time for its directory."""

    def place(overlay, upper, node, now):
        right(overlay, upper, node, upper.mtime_ns)

    return place


def without_sticky(right):
    """Check a removal as if no directory were sticky."""

    def check_delete(caller, parent, victim, *more):
        plain = Directory(mode=parent.mode & ~STICKY, uid=parent.uid, gid=parent.gid)
        right(caller, plain, victim, *more)

    return check_delete


def past_whiteouts(right):
    """Let the search go on below a whiteout."""

    def look_up(parents, name, marks=TRUSTED):
        entries = [names_of(part.inode).get(name) for part in parents]
        kept = [
            part for part, inode in zip(parents, entries, strict=True) if inode is None or not is_whiteout(inode, marks)
        ]
        return right(kept, name, marks)

    return look_up


ALL = (
    as_in("a deleted name of a lower layer has a whiteout", "whiteout"),
    as_in("a file is copied up with its content", "data"),
    as_in("names of one lower file part when one is copied up", "links"),
    as_in("a whiteout only where a lower layer has the name", "everywhere"),
    as_in("a directory made over a whiteout is opaque", "opaque"),
    as_in("a directory with a lower part does not move: EXDEV", "exdev"),
    as_in("a copy remembers its origin", "origin"),
    Mutation(
        "a directory that holds copies is impure",
        OverlayXattrs,
        "set_impure",
        instead(lambda self, directory, path: None),
    ),
    Mutation("a directory is copied up from its topmost part", Overlay, "copy_inode", from_the_bottom),
    Mutation("a new name changes its directory's time", changes, "place", time_stays),
    Mutation("in a sticky directory only owners remove", posix, "check_delete", without_sticky),
    as_in("a merged listing leaves deleted names out", "listing"),
    Mutation(
        "a redirect to another directory is a path", OverlayXattrs, "_lower_path", instead(lambda self, node: node.name)
    ),
    Mutation("a whiteout in a middle layer ends the merge", marked_lookup, "look_up", past_whiteouts),
    Mutation(
        "a directory with visible names is not removed", changes, "must_be_empty", instead(lambda overlay, node: None)
    ),
)
RULES = {rule.name: rule for rule in ALL}


def failing_vectors(rule, enough=None, folder=RECORDED):
    """The ids of the vectors that notice a broken rule, at level 3.

    Args:
        enough: Stop after so many.
    """
    found = []
    with rule.patches()[0]:
        for path in sorted(folder.glob("*.json")):
            group, records = vectors.load(path)
            for position, record in enumerate(records):
                if vectors.mismatch(record, group, 3, f"{path.name}[{position}]"):
                    found.append(record["id"])
                    if enough and len(found) >= enough:
                        return found
    return found


def main(arguments=None):
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.support.mutations", description="Break central rules and see which proof notices."
    )
    parser.add_argument("--kernel", action="store_true", help="also the generated proof, on this kernel as root")
    chosen = parser.parse_args(arguments)
    missed = 0
    print(f"{'rule, broken':54} {'vectors':>7}  first      {'generated proof' if chosen.kernel else ''}")
    for rule in ALL:
        found = failing_vectors(rule)
        missed += not found
        print(
            f"{rule.name:54} {len(found):7}  {found[0] if found else 'none':10} "
            f"{generated(rule) if chosen.kernel else ''}",
            flush=True,
        )
    return 1 if missed else 0


def generated(rule, most=20_000):
    """What the generated proof says of a broken rule."""
    from tests.kernel.prove import prove

    done, seconds, _, failures = prove("root", most, jobs=1, broken=rule.name)
    if not failures:
        return f"not noticed in {done} operations"
    return f"noticed, shrunk to {failures[0].count('    op(')} operations, {done} run in {seconds:.0f} s"


if __name__ == "__main__":
    sys.exit(main())
