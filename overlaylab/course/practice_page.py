"""The practice page that this kit grew from, as data: what it prints is input here, and every claim is recomputed.

Each text in ``data/page`` is a literal piece of the page, with its commands.
"""

from __future__ import annotations

from functools import cached_property
from importlib.resources import files
from typing import NamedTuple

from overlaylab.image.config import ImageConfig, parse_config
from overlaylab.image.digest import DiffID, Digest
from overlaylab.image.document import compact_json


class ListedImage(NamedTuple):
    """One line of ``docker image list``."""

    repository: str
    tag: str
    image_id: str
    created: str
    size: str


class PageStep(NamedTuple):
    """One step of the page's chain: the text that is piped to sha256sum, and the hex digits that it prints."""

    text: str
    printed: str


def _piece(name: str) -> str:
    return (files("overlaylab") / "data" / "page" / f"{name}.txt").read_text(encoding="utf-8")


class Page:
    """What the page prints, piece by piece."""

    @cached_property
    def images(self) -> tuple[ListedImage, ...]:
        """The lines of ``docker image list``. Columns are three spaces or more apart."""
        lines = _piece("image-list").partition("SIZE\n")[2].splitlines()
        cells = ([cell.strip() for cell in line.split("   ") if cell.strip()] for line in lines)
        return tuple(ListedImage(*row) for row in cells)

    @property
    def busybox_text(self) -> str:
        """busybox's config as ``jq`` shows it on the page."""
        return _piece("busybox-config").partition("\n")[2]

    @property
    def busybox_id(self) -> str:
        """The name of the file with busybox's config: 64 hex digits."""
        return _file_name("busybox-config")

    @property
    def nginx_text(self) -> str:
        """nginx's config as the page shows it: with a remark in it, and dots instead of the history."""
        return _piece("nginx-config").partition("\n")[2]

    @property
    def nginx_id(self) -> str:
        """The name of the file with nginx's config: 64 hex digits."""
        return _file_name("nginx-config")

    @cached_property
    def nginx_partial(self) -> ImageConfig:
        """nginx's config without its history; its bytes are not those that Docker stores."""
        lines = [line for line in self.nginx_text.splitlines() if line != "..." and not line.startswith("-")]
        return parse_config(compact_json("\n".join(lines)), "nginx (without its history)")

    @property
    def nginx_diff_ids(self) -> tuple[DiffID, ...]:
        """nginx's six diff_ids, bottom layer first."""
        return self.nginx_partial.diff_ids

    @cached_property
    def chain_steps(self) -> tuple[PageStep, ...]:
        """The five hashes of nginx's chain: layers two to six."""
        lines = _piece("chain").splitlines()[1:]
        return tuple(
            PageStep(asked.split('"')[1], said.split()[0]) for asked, said in zip(lines[::2], lines[1::2], strict=True)
        )

    @property
    def chain_formula(self) -> str:
        """The rule in the page's words."""
        return _piece("chain").splitlines()[0].removeprefix(">> ")

    @cached_property
    def layerdb(self) -> tuple[str, ...]:
        """The directories in ``layerdb/sha256``, as listed: 64 hex digits each."""
        return tuple(
            line.rstrip("/")
            for line in _piece("layerdb").splitlines()
            if line.endswith("/") and not line.startswith("ls")
        )

    @property
    def cache_id_text(self) -> str:
        """The page's walk from nginx's top chain_id to its directory, with the page's typing errors."""
        return _piece("cache-id")

    @property
    def cache_id(self) -> str:
        """The cache-id of nginx's top layer: 64 hex digits."""
        lines = _piece("cache-id").splitlines()
        return next(line for line in lines if len(line) == 64)

    @property
    def docker_info(self) -> str:
        """A part of the output of ``docker info``."""
        return _piece("docker-info")

    @cached_property
    def info(self) -> dict[str, str]:
        """The same as fields, in the order of the page."""
        return {
            name.strip(): value.strip()
            for name, mark, value in (line.partition(":") for line in self.docker_info.splitlines())
            if mark
        }

    @property
    def overlayfs_text(self) -> str:
        """The listing of Fruits, Meat and Vegetables, and the mount command."""
        return _piece("overlayfs")

    @property
    def mount_command(self) -> str:
        """The mount command, without the prompt."""
        return self.overlayfs_text.splitlines()[-1].strip().removeprefix("$")


def _file_name(piece: str) -> str:
    command = _piece(piece).partition("\n")[0]
    return Digest("sha256:" + command.split("/")[-1].split()[0]).hex


page = Page()
