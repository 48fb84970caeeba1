"""Docker's layerdb: the table that maps a computed chain_id to the random name of a directory.

    image/overlay2/layerdb/sha256/<chain_id>/{diff,parent,cache-id,size} -> overlay2/<cache-id>/{diff,link,lower,work}

Other storage drivers have the same table in ``image/<driver>/layerdb``, and directories of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from overlaylab.errors import Finding, Problem
from overlaylab.image.digest import ChainID, DiffID, Digest, chain_text
from overlaylab.stores.storage_driver import StorageDriver, collected

CACHE_ID = re.compile(r"[0-9a-z]{25}|[0-9a-f]{64}(-init)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerEntry:
    """One entry of the layerdb: the chain_id is its directory's name, the rest is in its files.

    Args:
        parent: The chain_id of the layer below; None for a bottom layer.
        cache_id: A random name that cannot be derived from anything.
        size: The bytes of the layer's regular files, hard links counted once.
    """

    chain_id: ChainID
    diff_id: DiffID
    parent: ChainID | None
    cache_id: str
    size: int | None


class LayerDB:
    """The layers of a data root, each read and checked once.

    Args:
        driver: The storage driver, which knows the layers' directories and the files of the data root.
        path: Where the layerdb lies, such as ``image/overlay2/layerdb``.
    """

    def __init__(self, driver: StorageDriver, path: str) -> None:
        self.driver, self.place, self.path = driver, driver.place, path
        self._layers: dict[ChainID, LayerEntry | Finding] = {}
        self._problems: dict[ChainID, tuple[Problem, ...]] = {}

    def entry(self, chain_id: ChainID) -> LayerEntry:
        """Look a chain_id up: this step maps a computed name to a random one.

        Raises:
            Finding: ``missing-layer``, ``absurd-size``, ``path-escape`` for a malformed cache-id, ``bad-digest``.
        """
        if chain_id not in self._layers:
            try:
                self._layers[chain_id] = self._read_entry(chain_id)
            except Finding as finding:
                self._layers[chain_id] = finding
        found = self._layers[chain_id]
        if isinstance(found, Finding):
            raise found
        return found

    def _read_entry(self, chain_id: ChainID) -> LayerEntry:
        path = f"{self.path}/{chain_id.algorithm}/{chain_id.hex}"
        where = f"{self.place.where}: {path}"
        if not self.place.has(path):
            raise Finding("missing-layer", where, "a folder", "nothing")
        size = self.driver.text(f"{path}/size")
        if size is not None and not (size.isascii() and size.isdigit() and len(size) < 20):
            raise Finding("absurd-size", f"{where}/size", "a number of bytes", size)
        parent = self.driver.text(f"{path}/parent")
        cache_id = self.need(f"{path}/cache-id")
        if not CACHE_ID.fullmatch(cache_id):
            raise Finding("path-escape", f"{where}/cache-id", "64 hex digits, or 25 letters and digits", cache_id)
        return LayerEntry(
            chain_id=chain_id,
            diff_id=DiffID(self.need(f"{path}/diff"), f"{where}/diff"),
            parent=ChainID(parent, f"{where}/parent") if parent else None,
            cache_id=cache_id,
            size=int(size) if size else None,
        )

    def need(self, path: str) -> str:
        """The text of a file that must be there."""
        text = self.driver.text(path)
        if text is None:
            raise Finding("missing-layer", f"{self.place.where}: {path}", "a file", "nothing")
        return text

    def checked(
        self, chain_id: ChainID, diff_id: DiffID, below: ChainID | None
    ) -> tuple[LayerEntry | None, tuple[Problem, ...]]:
        """Compare the layerdb with an image's config.

        Args:
            chain_id: The layer, as computed from the config.
            diff_id: Its changeset, from the config.
            below: The chain_id of the layer below; None for a bottom layer.

        Returns:
            The layer's entry, None if it cannot be read; and what is wrong with it. The result is kept, since many
            images may share a layer.
        """
        try:
            entry = self.entry(chain_id)
        except Finding as finding:
            return None, (finding.problem,)
        if chain_id not in self._problems:
            self._problems[chain_id] = (*self._chain_problems(entry, diff_id, below), *self._directory_problems(entry))
        return entry, self._problems[chain_id]

    def _chain_problems(self, entry: LayerEntry, diff_id: DiffID, below: ChainID | None) -> Iterator[Problem]:
        """Compare an entry's ``diff`` and ``parent`` with what the config's diff_ids give."""
        where = f"{self.place.where}: {self.path}/sha256/{entry.chain_id.hex}"
        if entry.diff_id != diff_id:
            yield Problem("chain-mismatch", f"{where}/diff", diff_id, entry.diff_id)
        if entry.parent != below:
            cyclic = entry.parent is not None and self._has_cycle(entry)
            kind = "parent-cycle" if cyclic else "chain-mismatch"
            yield Problem(kind, f"{where}/parent", below or "no such file", entry.parent or "nothing")

    def _has_cycle(self, entry: LayerEntry) -> bool:
        """Whether following ``parent`` returns to a layer that was visited already."""
        chain = self.stack(entry.chain_id)
        return chain[-1].parent in {visited.chain_id for visited in chain}

    def _directory_problems(self, entry: LayerEntry) -> Iterator[Problem]:
        """Check that the layer's directory exists, its short name leads to it, and ``lower`` lists its ancestors."""
        return self.driver.problems(entry.cache_id, [ancestor.cache_id for ancestor in self._ancestors(entry)])

    def stack(self, chain_id: ChainID) -> list[LayerEntry]:
        """A layer and all layers beneath it, topmost first; a broken chain ends early."""
        top = self.entry(chain_id)
        return [top, *self._ancestors(top)]

    def _ancestors(self, entry: LayerEntry) -> Iterator[LayerEntry]:
        """The layers beneath, nearest first."""
        visited = {entry.chain_id}
        while entry.parent is not None and entry.parent not in visited:
            visited.add(entry.parent)
            try:
                entry = self.entry(entry.parent)
            except Finding:
                return
            yield entry

    def entries(self, problems: list[Problem]) -> Iterator[LayerEntry]:
        """All entries, in the order of their chain_ids.

        Args:
            problems: Gets what is wrong with the entries that cannot be read.
        """
        for name in self.place.names(f"{self.path}/sha256"):
            # Docker gives an entry this name before it deletes it; after a crash the entry may still be there.
            if name.endswith("-removing"):
                continue
            with collected(problems):
                yield self.entry(ChainID(f"sha256:{name}", f"{self.place.where}: {self.path}/sha256/{name}"))

    def orphans(self) -> list[Problem]:
        """What is wrong with the entries that no image uses."""
        problems: list[Problem] = []
        for entry in self.entries(problems):
            if entry.chain_id in self._problems:
                continue
            expected: Digest = entry.diff_id
            if entry.parent is not None:
                expected = ChainID.of(chain_text(entry.parent, entry.diff_id).encode("ascii"))
            if expected != entry.chain_id:
                where = f"{self.place.where}: {self.path}/sha256/{entry.chain_id.hex}"
                problems.append(Problem("chain-mismatch", where, expected, entry.chain_id))
            problems += self._directory_problems(entry)
        return problems
