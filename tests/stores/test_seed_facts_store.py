"""The facts of the practice page about Docker's data root and ``docker info``, each asserted by name."""

import pytest

from overlaylab.course.map import info_table
from overlaylab.course.practice_page import page
from overlaylab.image.config import parse_config
from overlaylab.image.digest import chain_ids
from overlaylab.stores.docker.walk import follow, ls
from overlaylab.stores.selection import select
from overlaylab.stores.shipped_files import shipped_root
from overlaylab.views.stores.docker_walk import layerdb_picture
from overlaylab.words import say

# Typed from the page.
LAYERDB = """
    1a28317a62c8193a2cd9513ed55b4e9beddb850fe397249eea2ee5044192779f
    2c78bcd3187437a7a5d9d8dbf555b3574ba7d143c1852860f9df0a46d5df056a
    2e17f8770b4ad4ce56357edc8dea7329f376803e703201f45141d044634c20e3
    2f06529dbb5e44e14d5ab0d7ecd6d4926db08124dbb1b4cbc75710a3b540aa17
    33d9996f6196b7459c2fff2af3c499c293df089085845401bec2ebda281b86d8
    4311d44226850ccb1c676c541d5a8cbfaa8a8fbbcbce7470f63f73de3b095452
    435c6dad68b58885ad437e5f35f53e071213134eb9e4932b445eac7b39170700
    4e006334a6fdea37622f72b21eb75fe1484fc4f20ce8b8526187d6f7bd90a6fe
    5b8c72934dfc08c7d2bd707e93197550f06c0751023dabb3a045b723c5e7b373
    63d268dd303e176ba45c810247966ff8d1cb9a5bce4a404584087ec01c63de15
    6bb8e6547520704f53cd85d941447e9088a1c9929b2f7357374c4ca423f12a84
    764055ebc9a7a290b64d17cf9ea550f1099c202d83795aa967428ebdf335c9f7
    7eab6969712beb0bd29a9c67e028a9c0cb8c623860966d53354e2f2bcb534fdf
    b27eb5bbca70862681631b492735bac31d3c1c558c774aca9c0e36f1b50ba915
    bdf28aff423adfe7c6cb938eced2f19a32efa9fa3922a3c5ddce584b139dc864
    d8cb195252a723d5f1dfe5f168cc1268255f5d53d836a176636bdea1acb39b4b
    ecd3e268e3ec6c7018720438d572bad85c7254440164e0bd326841f70bccdade
    f22b99068db93900abe17f7f5e09ec775c2826ecfe9db961fea68293744144bd
""".split()
NGINX = """
    764055ebc9a7a290b64d17cf9ea550f1099c202d83795aa967428ebdf335c9f7
    2c78bcd3187437a7a5d9d8dbf555b3574ba7d143c1852860f9df0a46d5df056a
    bdf28aff423adfe7c6cb938eced2f19a32efa9fa3922a3c5ddce584b139dc864
    435c6dad68b58885ad437e5f35f53e071213134eb9e4932b445eac7b39170700
    b27eb5bbca70862681631b492735bac31d3c1c558c774aca9c0e36f1b50ba915
    63d268dd303e176ba45c810247966ff8d1cb9a5bce4a404584087ec01c63de15
""".split()
CACHE_ID = "7c5b0caa88da4897b0d4595a756e09c1c7bcef57531881b02423e9565d1f2ad2"
INFO = {
    "Images": "2",
    "Server Version": "20.10.2",
    "Storage Driver": "overlay2",
    "Backing Filesystem": "extfs",
    "Supports d_type": "true",
    "Native Overlay Diff": "true",
}


@pytest.fixture(scope="module")
def root():
    return shipped_root()


def busybox_diff_ids():
    return parse_config(page.busybox_text.encode()).diff_ids


# The layerdb's listing


def test_the_layerdb_lists_eighteen_names_in_order():
    assert list(page.layerdb) == LAYERDB
    assert len(LAYERDB) == 18
    assert sorted(LAYERDB) == LAYERDB


def test_six_of_them_are_nginxs_chain_ids():
    assert [name.hex for name in chain_ids(page.nginx_diff_ids)] == NGINX
    assert set(NGINX) <= set(page.layerdb)


def test_only_the_first_diff_id_of_nginx_is_a_name_there():
    """The folders' names are chain_ids, not diff_ids; of the base they are equal."""
    there = [diff_id.hex in page.layerdb for diff_id in page.nginx_diff_ids]

    assert there == [True, False, False, False, False, False]
    assert page.nginx_diff_ids[0].hex == "764055ebc9a7a290b64d17cf9ea550f1099c202d83795aa967428ebdf335c9f7"


def test_busyboxs_only_diff_id_is_its_chain_id_and_a_name_there():
    (diff_id,) = busybox_diff_ids()

    assert diff_id.hex == "5b8c72934dfc08c7d2bd707e93197550f06c0751023dabb3a045b723c5e7b373"
    assert chain_ids([diff_id]) == (diff_id,)
    assert diff_id.hex in page.layerdb


def test_the_page_tells_nothing_of_the_other_eleven():
    picture = layerdb_picture(page.layerdb, {"nginx": page.nginx_diff_ids, "busybox": busybox_diff_ids()})

    assert (
        picture.alt
        == "Of 18 names in the page's layerdb, 6 of nginx, 1 of busybox; 11 belong to nothing that the page shows."
    )
    assert picture.text.count(say("store.listing_unknown")) == 11


# The folders' content, and the slips of the pen


def test_a_layerdb_entry_has_five_files_as_on_the_page(root):
    shown = page.cache_id_text.splitlines()[1]

    assert shown == "cache-id  diff  parent  size  tar-split.json.gz"
    assert follow(root, "kit/app:1")["layerdb"].content == shown


def test_the_pages_entry_is_nginxs_top_chain_id():
    assert page.cache_id_text.splitlines()[0] == f"$ ls layerdb/sha256/{NGINX[-1]}"


def test_the_page_types_cache_underscore_id_where_the_file_has_a_hyphen(root):
    assert f"{NGINX[-1]}/cache_id" in page.cache_id_text
    entry = follow(root, "kit/app:1")["layerdb"].path

    assert "cache-id" in ls(root, entry)
    assert "cache_id" not in ls(root, entry)


def test_the_page_types_oerlay2_where_the_folder_is_overlay2(root):
    assert page.cache_id_text.count("/var/lib/docker/oerlay2/") == 2
    assert page.cache_id_text.count("/var/lib/docker/overlay2/") == 1
    assert "overlay2" in ls(root)
    assert "oerlay2" not in ls(root)


def test_the_pages_cache_id():
    assert page.cache_id == CACHE_ID


def test_the_pages_cache_id_is_no_name_that_the_page_lets_us_compute():
    computed = {*chain_ids(page.nginx_diff_ids), *page.nginx_diff_ids, *chain_ids(busybox_diff_ids())}

    assert CACHE_ID not in {name.hex for name in computed}
    assert CACHE_ID not in page.layerdb


def test_a_top_layers_folder_has_diff_link_lower_and_work(root):
    shown = "diff  link  lower  work"
    top = follow(root, "kit/web:latest")

    assert shown in page.cache_id_text.splitlines()
    # The shipped root's layer that nothing was built on: as on the page, without the file "committed".
    assert top["directory"].content.split()[:4] == shown.split()
    assert "committed" not in top["directory"].content


def test_the_pages_top_layer_of_nginx_holds_one_script():
    tree = page.cache_id_text.partition("$ tree diff\n")[2]

    assert tree.split() == ["diff", "└──", "docker-entrypoint.d", "└──", "30-tune-worker-processes.sh"]


def test_each_entry_leads_to_the_folder_that_the_layers_lie_in(root):
    image = select(root, "kit/app:1")

    for position, layer in enumerate(image.layers):
        assert follow(root, "kit/app:1", position)["cache-id"].content == layer.directory


# docker info and the list of images


def test_docker_info_as_fields():
    assert page.info == INFO


@pytest.mark.parametrize("field", INFO)
def test_each_field_of_docker_info_has_its_meaning_in_words(field):
    assert len(say(f"info.{field}").split()) > 5


def test_the_table_of_docker_info_shows_every_field():
    shown = info_table(page.info)

    assert list(shown.index) == list(INFO)
    assert list(shown["on the page"]) == list(INFO.values())


def test_the_page_lists_three_images_while_docker_info_counts_two():
    listed = [(image.repository, image.tag, image.image_id) for image in page.images]

    assert listed == [
        ("nginx", "latest", "4cdc5dd7eaad"),
        ("busybox", "latest", "69593048aa3a"),
        ("hello-world", "latest", "d1165f221234"),
    ]
    assert len({image.image_id for image in page.images}) == 3
    assert page.info["Images"] == "2"


def test_ages_and_sizes_of_the_list():
    assert [image.created for image in page.images] == ["2 months ago", "3 months ago", "6 months ago"]
    assert [image.size for image in page.images] == ["133MB", "1.24MB", "13.3kB"]


def test_a_count_of_images_counts_configs_and_not_names(root):
    configs = ls(root, "image/overlay2/imagedb/content/sha256")
    named = [image for image in root.images() if image.names]

    assert (len(configs), len(named), sum(len(image.names) for image in named)) == (24, 5, 7)
