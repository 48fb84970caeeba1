"""The files by which a store is recognised, relative to its root."""

from __future__ import annotations

# containerd's database of images and containers.
META = "io.containerd.metadata.v1.bolt/meta.db"

# The root of the containerd that dockerd runs by itself.
DAEMON = "containerd/daemon"

# The images of podman, buildah and CRI-O.
IMAGES = "overlay-images/images.json"
