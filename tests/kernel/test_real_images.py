"""Layers of real images, stacked as an engine stacks them, and mounted."""

import pytest
from mountproof import MODES_OF_THIS_USER, differences
from realdata import ARCHIVES, archive

from overlaylab.kernel.mount import Stack, mounted_views
from overlaylab.stores.audit.layer_reader import LayerReader
from overlaylab.stores.audit.validation import overlay_of
from overlaylab.stores.detect import open_store
from overlaylab.tree import Directory

pytestmark = pytest.mark.tier("kernel")

ENOUGH = 64 << 20


def stacks_of(name):
    """Each image's layers as lower directories under an empty upper one, as in a new container."""
    store = open_store(archive(name))
    reader = LayerReader(store, keep=ENOUGH)
    images = [image for image in store.images() if image.layers and all(layer.readable for layer in image.layers)]
    return [Stack(lowerdirs=overlay_of(image, store, reader)[0].lowerdirs, upperdir=Directory()) for image in images]


@pytest.mark.parametrize("mode", MODES_OF_THIS_USER)
@pytest.mark.parametrize("name", ARCHIVES)
def test_a_real_image_mounts_as_simulated(name, mode):
    stacks = stacks_of(name)

    views = mounted_views(stacks, mode=mode)

    assert [list(differences(stack, view)) for stack, view in zip(stacks, views, strict=True)] == [[]] * len(stacks)
    assert stacks
