"""Every fact of the practice page that notebooks 01 and 02 carry, recomputed, one test a fact."""

import hashlib

import pytest

import overlaylab as ol

PAGE = ol.page
BUSYBOX_ID = "69593048aa3acfee0f75f20b77acb549de2472063053f6730c4091b53f2dfb02"
NGINX_ID = "4cdc5dd7eaadff5080649e8d0014f2f8d36d4ddf2eff2fdf577dd13da85c5d2f"
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@pytest.fixture(scope="module")
def busybox():
    return ol.parse_config(ol.compact_json(PAGE.busybox_text))


@pytest.fixture(scope="module")
def nginx():
    return PAGE.nginx_partial


# docker image list


@pytest.mark.parametrize(
    "line",
    [
        ("nginx", "latest", "4cdc5dd7eaad", "2 months ago", "133MB"),
        ("busybox", "latest", "69593048aa3a", "3 months ago", "1.24MB"),
        ("hello-world", "latest", "d1165f221234", "6 months ago", "13.3kB"),
    ],
)
def test_the_list_has_this_image(line):
    assert line in PAGE.images


def test_the_list_has_three_images():
    assert len(PAGE.images) == 3


def test_image_id_is_the_first_12_digits_of_the_configs_digest(busybox):
    by_name = {image.repository: image.image_id for image in PAGE.images}

    assert by_name["busybox"] == ol.short(busybox.image_id) == hashlib.sha256(busybox.raw).hexdigest()[:12]
    assert by_name["nginx"] == PAGE.nginx_id[:12]


# busybox's config


def test_the_names_of_the_two_config_files_are_these():
    assert (PAGE.busybox_id, PAGE.nginx_id) == (BUSYBOX_ID, NGINX_ID)


def test_busyboxs_config_is_1457_bytes_and_its_sha256_is_the_file_name(busybox):
    assert len(busybox.raw) == 1457
    assert hashlib.sha256(busybox.raw).hexdigest() == BUSYBOX_ID


def test_what_jq_shows_is_not_what_is_hashed():
    assert hashlib.sha256(PAGE.busybox_text.encode()).hexdigest() != BUSYBOX_ID
    assert ol.digest_bytes(ol.pretty_json(ol.compact_json(PAGE.busybox_text))).hex != BUSYBOX_ID


def test_busybox_runs_sh_on_linux_amd64(busybox):
    assert busybox.platform == "linux/amd64"
    assert (busybox.execution.entrypoint, busybox.execution.cmd, busybox.execution.env) == ((), ("sh",), (PATH,))
    assert (busybox.execution.user, busybox.execution.working_dir, busybox.execution.labels) == ("", "", {})


def test_busybox_was_created_then(busybox):
    assert busybox.created == "2021-06-07T20:20:29.305375985Z"


def test_busybox_has_two_steps_and_the_second_is_empty(busybox):
    assert [step.created for step in busybox.history] == [
        "2021-06-07T20:20:29.115815185Z",
        "2021-06-07T20:20:29.305375985Z",
    ]
    assert [step.empty_layer for step in busybox.history] == [False, True]
    assert busybox.history[0].created_by.startswith("/bin/sh -c #(nop) ADD file:ab1db978794665f043ca88deb549")
    assert busybox.history[1].created_by == '/bin/sh -c #(nop)  CMD ["sh"]'


def test_busybox_has_one_layer_and_its_chain_id_is_its_diff_id(busybox):
    assert [digest.hex for digest in busybox.diff_ids] == [
        "5b8c72934dfc08c7d2bd707e93197550f06c0751023dabb3a045b723c5e7b373"
    ]
    assert busybox.chain_ids == busybox.diff_ids


@pytest.mark.parametrize("name", ["busybox_text", "nginx_text"])
def test_the_page_shows_the_builders_leftovers(name):
    text = getattr(PAGE, name)

    assert all(
        f'"{field}":' in text for field in ("container", "container_config", "docker_version", "Image", "Hostname")
    )
    assert '"#(nop) "' in text


def test_the_builders_were_docker_19_03_12_and_20_10_7():
    assert '"docker_version": "19.03.12"' in PAGE.busybox_text
    assert '"docker_version": "20.10.7"' in PAGE.nginx_text


# nginx's config


def test_nginxs_text_is_no_json_because_its_history_is_left_out():
    assert '"history": [\n...\n  ],' in PAGE.nginx_text
    with pytest.raises(ol.errors.Finding) as caught:
        ol.parse_config(PAGE.nginx_text.encode())

    assert caught.value.problem.kind == "bad-json"


def test_nginxs_id_can_not_be_computed_from_the_page(nginx):
    assert nginx.image_id.hex != NGINX_ID
    assert nginx.history == ()


def test_nginx_runs_its_entrypoint_with_nginx_in_the_foreground(nginx):
    assert nginx.platform == "linux/amd64"
    assert nginx.execution.entrypoint == ("/docker-entrypoint.sh",)
    assert nginx.execution.cmd == ("nginx", "-g", "daemon off;")
    assert nginx.execution.env == (PATH, "NGINX_VERSION=1.21.1", "NJS_VERSION=0.6.1", "PKG_RELEASE=1~buster")


def test_nginx_listens_on_port_80_and_stops_with_sigquit(nginx):
    assert nginx.execution.exposed_ports == ("80/tcp",)
    assert ("config.StopSignal", '"SIGQUIT"') in [row[:2] for row in ol.field_table(nginx.raw).rows]


def test_nginx_names_its_maintainers(nginx):
    assert nginx.execution.labels == {"maintainer": "NGINX Docker Maintainers <docker-maint@nginx.com>"}


def test_nginx_was_created_then(nginx):
    assert nginx.created == "2021-07-06T19:39:40.385800548Z"


# diff_id and chain_id

DIFF_IDS = """
    764055ebc9a7a290b64d17cf9ea550f1099c202d83795aa967428ebdf335c9f7
    ace9ed9bcfafbc909bc3e9451490652f685959db02a4e01e0528a868ee8eab3e
    48b4a40de3597ec0a28c2d4508dec64ae685ed0da77b128d0fb5c69cada91882
    c553c6ba5f1354e1980871b413e057950e0c02d2d7a66b39de2e03836048fda9
    d97733c0a3b64c08bc0dd286926a8eff1b162b4d9fad229eab807c6dc516c172
    9d1af766c81806211d5453b711169103e4f5c3c2609e1dfb9ea4dee7e96a7968
""".split()
CHAIN_IDS = """
    764055ebc9a7a290b64d17cf9ea550f1099c202d83795aa967428ebdf335c9f7
    2c78bcd3187437a7a5d9d8dbf555b3574ba7d143c1852860f9df0a46d5df056a
    bdf28aff423adfe7c6cb938eced2f19a32efa9fa3922a3c5ddce584b139dc864
    435c6dad68b58885ad437e5f35f53e071213134eb9e4932b445eac7b39170700
    b27eb5bbca70862681631b492735bac31d3c1c558c774aca9c0e36f1b50ba915
    63d268dd303e176ba45c810247966ff8d1cb9a5bce4a404584087ec01c63de15
""".split()


def test_nginx_has_these_six_layers():
    assert [digest.hex for digest in PAGE.nginx_diff_ids] == DIFF_IDS


@pytest.mark.parametrize("number", range(1, 7))
def test_nginxs_chain_id_is_recomputed(number):
    assert ol.chain_ids(PAGE.nginx_diff_ids)[number - 1].hex == CHAIN_IDS[number - 1]


@pytest.mark.parametrize("number", range(2, 7))
def test_the_page_hashes_the_right_text_and_prints_the_right_sum(number):
    step = PAGE.chain_steps[number - 2]

    assert step.text == f"sha256:{CHAIN_IDS[number - 2]} sha256:{DIFF_IDS[number - 1]}"
    assert step.printed == hashlib.sha256(step.text.encode()).hexdigest() == CHAIN_IDS[number - 1]


def test_the_page_makes_five_sums():
    assert len(PAGE.chain_steps) == 5


def test_the_pages_formula_is_the_rule():
    assert PAGE.chain_formula == 'ChainID(layerN) = SHA256hex(ChainID(layerN-1) + " " + DiffID(layerN))'


def test_only_the_base_has_one_name_for_both():
    equal = [a == b for a, b in zip(DIFF_IDS, CHAIN_IDS, strict=True)]

    assert equal == [True] + [False] * 5


def test_layerdb_has_18_names_among_them_all_chain_ids_and_of_the_diff_ids_only_bases(busybox):
    assert len(set(PAGE.layerdb)) == 18
    assert set(CHAIN_IDS) <= set(PAGE.layerdb)
    assert set(DIFF_IDS) & set(PAGE.layerdb) == {DIFF_IDS[0]}
    assert busybox.diff_ids[0].hex in PAGE.layerdb
