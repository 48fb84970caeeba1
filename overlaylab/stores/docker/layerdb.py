"""Docker's layerdb: the table that turns a computed chain_id into the random name of a directory.

image/overlay2/layerdb/sha256/<chain_id>/{diff,parent,cache-id,size} -> overlay2/<cache-id>/{diff,link,lower,work}
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from overlaylab.errors import Finding, Problem
from overlaylab.image.digest import ChainID, DiffID, chain_text
from overlaylab.stores.files.place import Place
from overlaylab.stores.short_names import ShortNames

__all__ = ["CACHE_ID", "DRIVER", "LayerDB", "LayerEntry"]

DRIVER = "overlay2"

CACHE_ID = re.compile(r"[0-9a-z]{25}|[0-9a-f]{64}(-init)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerEntry:
    """One entry of the layerdb.

    Args:
        chain_id: Its directory's name.
        diff_id: The file ``diff``.
        parent: The file ``parent``: the chain_id below; None for a bottom layer.
        cache_id: The file ``cache-id``: a random name, derivable from nothing.
        size: The file ``size``: bytes of the layer's files, hard links once.
    """

    chain_id: ChainID
    diff_id: DiffID
    parent: ChainID | None
    cache_id: str
    size: int | None


class LayerDB:
    """The layers of a data root, each looked up and checked once.

    Args:
        place: The data root.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self.short_names = ShortNames(place, DRIVER, CACHE_ID)
        self.path = f"image/{DRIVER}/layerdb"
        self._layers: dict[ChainID, LayerEntry | Finding] = {}
        self._problems: dict[ChainID, tuple[Problem, ...]] = {}

    def folder(self, chain_id: ChainID) -> LayerEntry:
        """Look a chain_id up in the layerdb: the step that turns a computed name into a random one.

        Raises:
            Finding: ``missing-layer``, ``path-escape`` for a cache-id that is no plain name, ``bad-digest``.
        """
        if chain_id not in self._layers:
            try:
                self._layers[chain_id] = self._read_layer(chain_id)
            except Finding as finding:
                self._layers[chain_id] = finding
        found = self._layers[chain_id]
        if isinstance(found, Finding):
            raise found
        return found

    def _read_layer(self, chain_id: ChainID) -> LayerEntry:
        path = f"{self.path}/{chain_id.algorithm}/{chain_id.hex}"
        where = f"{self.place.where}: {path}"
        if not self.place.has(path):
            raise Finding("missing-layer", where, "a folder", "nothing")
        size = self.short_names.text(f"{path}/size")
        if size is not None and not (size.isascii() and size.isdigit() and len(size) < 20):
            raise Finding("absurd-size", f"{where}/size", "a number of bytes", size)
        parent = self.short_names.text(f"{path}/parent")
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
        """One of the store's small files, which must be there."""
        text = self.short_names.text(path)
        if text is None:
            raise Finding("missing-layer", f"{self.place.where}: {path}", "a file", "nothing")
        return text

    def checked(
        self, chain_id: ChainID, diff_id: DiffID, below: ChainID | None
    ) -> tuple[LayerEntry | None, tuple[Problem, ...]]:
        """A layer with everything that is wrong with its directories; checked once, however many images use it."""
        try:
            directory = self.folder(chain_id)
        except Finding as finding:
            return None, (finding.problem,)
        if chain_id not in self._problems:
            self._problems[chain_id] = tuple(self._chain_problems(directory, diff_id, below)) + tuple(
                self._directory_problems(directory)
            )
        return directory, self._problems[chain_id]

    def _chain_problems(self, directory: LayerEntry, diff_id: DiffID, below: ChainID | None) -> Iterator[Problem]:
        """Compare what the layerdb says with what the config's diff_ids give."""
        where = f"{self.place.where}: {self.path}/sha256/{directory.chain_id.hex}"
        if directory.diff_id != diff_id:
            yield Problem("chain-mismatch", f"{where}/diff", diff_id, directory.diff_id)
        if directory.parent != below:
            cyclic = directory.parent is not None and self._leads_back(directory)
            yield Problem(
                "parent-cycle" if cyclic else "chain-mismatch",
                f"{where}/parent",
                below or "no such file",
                directory.parent or "nothing",
            )

    def _leads_back(self, directory: LayerEntry) -> bool:
        """Whether following ``parent`` from a layer comes back to a layer that was met."""
        met = {directory.chain_id}
        try:
            while directory.parent is not None:
                if directory.parent in met:
                    return True
                met.add(directory.parent)
                directory = self.folder(directory.parent)
        except Finding:
            return False
        return False

    def _directory_problems(self, directory: LayerEntry) -> Iterator[Problem]:
        """Whether the layer's directory is there, its short name leads to it, and its lower list is its ancestry."""
        return self.short_names.problems(
            directory.cache_id, [ancestor.cache_id for ancestor in self._ancestors(directory)]
        )

    def stack(self, chain_id: ChainID) -> list[LayerEntry]:
        """A layer and all beneath it, topmost first."""
        top = self.folder(chain_id)
        return [top, *self._ancestors(top)]

    def _ancestors(self, directory: LayerEntry) -> Iterator[LayerEntry]:
        """The layers beneath, nearest first."""
        met = {directory.chain_id}
        while directory.parent is not None and directory.parent not in met:
            met.add(directory.parent)
            try:
                directory = self.folder(directory.parent)
            except Finding:
                return
            yield directory

    def _entries(self, problems: list[Problem]) -> Iterator[LayerEntry]:
        """Every entry that can be read, in the order of the chain_ids; what is wrong with the others goes to `problems`."""
        for name in self.place.names(f"{self.path}/sha256"):
            # Docker renames an entry to this before it deletes it; after a crash it may stay.
            if name.endswith("-removing"):
                continue
            try:
                yield self.folder(ChainID(f"sha256:{name}", f"{self.place.where}: {self.path}/sha256/{name}"))
            except Finding as finding:
                problems.append(finding.problem)

    def layer_folders(self) -> tuple[LayerEntry, ...]:
        """All layers that can be read, in the order of their chain_ids."""
        return tuple(self._entries([]))

    def orphans(self) -> list[Problem]:
        """Problems of entries that no image leads to."""
        problems: list[Problem] = []
        for directory in self._entries(problems):
            if directory.chain_id in self._problems:
                continue
            expected = (
                directory.diff_id
                if directory.parent is None
                else ChainID.of(chain_text(directory.parent, directory.diff_id).encode("ascii"))
            )
            if expected != directory.chain_id:
                where = f"{self.place.where}: {self.path}/sha256/{directory.chain_id.hex}"
                problems.append(Problem("chain-mismatch", where, expected, directory.chain_id))
            problems += self._directory_problems(directory)
        return problems
