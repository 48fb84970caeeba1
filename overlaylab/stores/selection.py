"""Find an image or a container by what a person types."""

from __future__ import annotations

import re
from collections.abc import Sequence

from overlaylab.errors import Finding, NoSuchImage
from overlaylab.image.image import Container, Image
from overlaylab.image.manifest import Platform
from overlaylab.words import printable

from .store import Store

_HEX = re.compile(r"(sha256:)?[0-9a-f]{1,64}|sha512:[0-9a-f]{1,128}")


def familiar(name: str) -> str:
    """A name as people write it: without Docker's default registry and library, with a tag.

    Example:
        >>> familiar("docker.io/library/busybox")
        'busybox:latest'

    Spec:
        distribution/reference, FamiliarName: ``library/`` goes only where one part follows it.
    """
    if name.startswith(("docker.io/", "index.docker.io/")):
        name = name.removeprefix("index.").removeprefix("docker.io/")
    if name.startswith("library/") and name.count("/") == 1:
        name = name.removeprefix("library/")
    last = name.rpartition("/")[2]
    return name if ":" in last or "@" in last else f"{name}:latest"


def select(
    store: Store, query: str, platform: Platform | None = None, namespace: str | None = None
) -> Image | Container:
    """Find one image, or one container.

    Args:
        store: Where to look.
        query: A name first, as the engines do; else an ID, a config digest, a manifest digest, or a unique hex
            prefix of one, with or without ``sha256:``; or a container's name or ID.
        platform: Chooses among the platforms of one name.
        namespace: Chooses among the namespaces of a containerd store.

    Raises:
        NoSuchImage: ``no-such-image``, or ``ambiguous-image`` with the candidates; never silently the first.
    """
    images = [image for image in store.images() if platform is None or platform.accepts(image.platform)]
    images = [image for image in images if namespace in (None, image.namespace)]
    containers = [container for container in store.containers() if namespace in (None, container.namespace)]
    exact = [image for image in images if query in image.names or query in image.references]
    name = query.removeprefix("/")
    named = [container for container in containers if query and name in (container.name, container.id)]
    for matches in (exact, _familiar(images, query), named, _by_prefix(images, containers, query)):
        if matches:
            return _only(matches, query)
    asked = "a name or an ID" + (f" for {platform}" if platform else "")
    asked += f" in namespace {namespace}" if namespace is not None else ""
    raise NoSuchImage("no-such-image", query, asked, _names(store.images()))


def select_image(store: Store, query: str) -> Image:
    """Find one image, as `select` does.

    Raises:
        NoSuchImage: As for `select`.
        Finding: ``wrong-call`` if it is a container.
    """
    found = select(store, query)
    if not isinstance(found, Image):
        raise Finding("wrong-call", printable(query), "an image", "a container")
    return found


def _familiar(images: Sequence[Image], query: str) -> list[Image]:
    name, _, digest = query.partition("@")
    if digest:
        return [image for image in images if digest in _digests_of(image, _repository(name))]
    wanted = {familiar(query), f"localhost/{familiar(query)}"}
    return [image for image in images if any(familiar(name) in wanted for name in image.names)]


def _digests_of(image: Image, repository: str) -> set[str]:
    """The digests that ``repository@`` may be followed by; like engines, ignores a tag before the ``@``."""
    digests = {name.partition("@")[2] for name in image.references if _repository(name.partition("@")[0]) == repository}
    if image.manifest_digest and any(_repository(name) == repository for name in image.names):
        digests.add(image.manifest_digest)
    return digests


def _repository(name: str) -> str:
    return familiar(name).rpartition(":")[0]


def _by_prefix(images: Sequence[Image], containers: Sequence[Container], query: str) -> list[Image | Container]:
    if not _HEX.fullmatch(query):
        return []
    wanted = query if ":" in query else f"sha256:{query}"
    found: list[Image | Container] = []
    for image in images:
        digests = filter(None, (image.id, image.config_digest, image.manifest_digest, *image.other_manifests))
        found += [image] if any(digest.startswith(wanted) for digest in digests) else []
    return found + [container for container in containers if container.id.startswith(query)]


def _only(matches: Sequence[Image | Container], query: str) -> Image | Container:
    """The only match, or one of several with the same layers; platforms whose blobs are missing do not count."""
    present = [match for match in matches if not _is_absent(match)] or [match for match in matches if match.problems]
    if not present:
        names = ", ".join(f"only the name of {_label(match)}" for match in matches)
        raise NoSuchImage("no-such-image", query, "an image whose blobs are here", names)
    if len({_key(match) for match in present}) > 1:
        raise NoSuchImage("ambiguous-image", query, "one image", ", ".join(_label(match) for match in present))
    # Of equal images one may be unpacked and another not.
    return min(
        present, key=lambda match: isinstance(match, Image) and [layer.directory for layer in match.layers].count(None)
    )


def _is_absent(match: Image | Container) -> bool:
    if isinstance(match, Container) or match.config is not None:
        return False
    return all(problem.kind == "missing-blob" for problem in match.problems)


def _key(match: Image | Container) -> tuple[str, ...]:
    if isinstance(match, Container):
        return match.store, match.namespace, match.id
    return "image", *(match.diff_ids or (match.id,))


def _label(match: Image | Container) -> str:
    if isinstance(match, Container):
        return f"container {match.name or match.id}" + (f" (namespace {match.namespace})" if match.namespace else "")
    place = f", namespace {match.namespace}" if match.namespace else ""
    return f"{match.id} ({match.platform or 'no platform'}{place}{''.join(f', {name}' for name in match.names)})"


def _names(images: Sequence[Image]) -> str:
    """The available names with their platforms, or how many images have no name, for an error message."""
    known: dict[str, list[str]] = {}
    for image in images:
        for name in image.names:
            known.setdefault(name, []).append(image.platform)
    if not known:
        return f"{len(images)} images without a name" if images else "no images"
    several = {name: f" ({', '.join(platforms)})" for name, platforms in known.items() if len(set(platforms)) > 1}
    return ", ".join(name + several.get(name, "") for name in sorted(known))
