"""The notebooks as files: all there, executed in order, short cells, one import, no digest typed as a result.

Their outputs are compared by nbval, cell by cell; these tests see what it does not.
"""

import ast
import io
import re
import tokenize
from functools import cache
from pathlib import Path

import nbformat
import pytest

import notebooks as tool

ROOT = Path(__file__).parent.parent.parent
EXPECTED = [
    "00_map",
    "01_image_config",
    "02_diff_id_and_chain_id",
    "03_cache_id",
    "04_overlayfs",
    "05_deleting",
    "06_writing",
    "07_believing",
    "08_four_stores",
    "09_your_own_image",
]
LONGEST_CELL = 12
DIGEST = re.compile(r"(?<![0-9a-z])[0-9a-f]{12,}", re.IGNORECASE)

every_notebook = pytest.mark.parametrize("name", EXPECTED)


@cache
def read(name):
    return nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)


def code_cells(name):
    return [cell for cell in read(name).cells if cell.cell_type == "code"]


def test_the_notebooks_are_these():
    assert [path.stem for path in sorted((ROOT / "notebooks").glob("*.ipynb"))] == EXPECTED


@every_notebook
def test_every_cell_was_run_once_from_top_to_bottom(name):
    """nbval does not compare a cell without a count, so a stripped notebook would pass there."""
    counts = [cell.execution_count for cell in code_cells(name)]

    assert counts == list(range(1, len(counts) + 1))
    assert counts


@every_notebook
def test_ids_follow_from_the_position(name):
    cells = read(name).cells

    assert [cell.id for cell in cells] == [tool.cell_id(name, position) for position in range(1, len(cells) + 1)]


@every_notebook
def test_stored_outputs_hold_no_warning_and_no_widget_model(name):
    outputs = [output for cell in code_cells(name) for output in cell.outputs]

    assert [output.text for output in outputs if output.get("name") == "stderr"] == []
    assert [output for output in outputs if tool.WIDGET_VIEW in output.get("data", {})] == []
    assert "widgets" not in read(name).metadata


@every_notebook
def test_only_a_cell_that_says_so_shows_an_error(name):
    failing = [cell for cell in code_cells(name) if any(output.output_type == "error" for output in cell.outputs)]

    assert [cell.id for cell in failing if "raises-exception" not in cell.metadata.get("tags", [])] == []


@every_notebook
def test_code_cells_fit_on_a_card(name):
    assert [
        cell.id for cell in code_cells(name) if len(cell.source.splitlines()) > LONGEST_CELL or not cell.source.strip()
    ] == []


@every_notebook
def test_the_only_import_is_the_package(name):
    statements = [
        node
        for cell in code_cells(name)
        for node in ast.walk(ast.parse(cell.source))
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]

    assert [ast.unparse(node) for node in statements] == ["import overlaylab as ol"]


# Digests are computed


@cache
def shipped_texts():
    """Gather what the kit ships as input: the texts in overlaylab/data, and the names of the files there."""
    files = [path for path in (ROOT / "overlaylab" / "data").rglob("*") if path.is_file()]
    return "\n".join(path.as_posix() + "\n" + path.read_bytes().decode("utf-8", "replace") for path in files)


def typed_digests(sources, shipped):
    """Name every digest that a learner could take for a result, though somebody typed it.

    Twelve hex digits in a row are a digest. It may be typed only as an input or as a claim, in an assignment whose name
    says which:

    * ``page_... = "..."`` is an input. The digest must stand in the texts that the kit ships: it is read, not made up.
    * ``expected_... = "..."`` is a claim. The name may then only be compared (``==``, ``!=``) or handed to a function
      whose name begins with ``check`` or ``verify``, and must be, once at least: it can be wrong and be found wrong,
      but never be shown.

    Everywhere else, in comments too, and put together from pieces side by side, it is refused.
    """
    trees = [ast.parse(source) for source in sources]
    claims = {}
    for source, tree in zip(sources, trees, strict=True):
        allowed = set()
        for statement in ast.walk(tree):
            name = assigned_name(statement)
            if name.startswith("page_"):
                allowed |= {digest for digest in digests_in(statement) if digest in shipped}
            if name.startswith("expected_"):
                claims[name] = digests_in(statement)
                allowed |= claims[name]
        yield from sorted((digests_in(tree) | digests_in_comments(source)) - allowed)
    for name, digests in claims.items():
        if digests and not only_compared(name, trees):
            yield name


def assigned_name(statement):
    """Return the one plain name that a statement assigns to, or nothing."""
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1 and isinstance(statement.targets[0], ast.Name):
        return statement.targets[0].id
    return ""


def digests_in(tree):
    """Find digests in the texts, bytes, numbers and names beneath a node; neighbouring texts are one text to Python."""
    leaves = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    leaves = [
        f"{leaf:x}" if type(leaf) is int else leaf.decode("latin-1") if isinstance(leaf, bytes) else str(leaf)
        for leaf in leaves
    ]
    names = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)]
    sums = [folded(node) for node in ast.walk(tree) if isinstance(node, ast.BinOp)]
    return set(DIGEST.findall("\n".join(leaves + names + sums)))


def folded(node):
    """Put texts that are added as literals into one."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return folded(node.left) + folded(node.right)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else "\n"


def digests_in_comments(source):
    """Find digests that stand after a ``#``."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return set(DIGEST.findall("\n".join(token.string for token in tokens if token.type == tokenize.COMMENT)))


def only_compared(name, trees):
    """Tell whether each use of a name is a comparison or a check, and there is one."""
    uses, fair = set(), set()
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load):
            uses.add(node)
        if isinstance(node, ast.Compare):
            fair |= {node.left, *node.comparators}
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2].startswith(("check", "verify")):
            fair |= {*node.args, *(keyword.value for keyword in node.keywords)}
    return bool(uses) and uses <= fair


@every_notebook
def test_no_digest_is_typed_as_a_result(name):
    assert list(typed_digests([cell.source for cell in code_cells(name)], shipped_texts())) == []


A = "69593048aa3a"
B = "4cdc5dd7eaad"


@pytest.mark.parametrize(
    "cells",
    [
        [f"page_id = '{A}'"],
        [f"page_ids = ['{A}', 'sha256:{A}']"],
        [f"expected_id = '{B}'", "config.image_id == expected_id"],
        [f"expected_id = '{B}'", "ol.check('id', config.image_id, expected_id)"],
        ["ol.short(config.image_id)"],
        ["0o755 + 123456"],
    ],
)
def test_inputs_and_claims_may_be_typed(cells):
    assert list(typed_digests(cells, f"IMAGE ID {A}")) == []


@pytest.mark.parametrize(
    "cells",
    [
        [f"print('{A}')"],
        [f"'sha256:{A.upper()}'"],
        [f"image_id = '{A}'"],
        [f"x = 1  # {A}"],
        [f"page_id = '{B}'"],
        [f"expected_id = '{B}'"],
        [f"expected_id = '{B}'", "expected_id"],
        [f"expected_id = '{B}'", "print(expected_id)", "x == expected_id"],
        [f"expected_id = '{B}'", "shown = expected_id", "x == expected_id"],
        [f"print('{B[:6]}' '{B[6:]}')"],
        [f"print('{B[:6]}' + '{B[6:]}')"],
        [f"f'sha256:{B}'"],
        [f"b'{B}'"],
        ["hex(0x69593048aa3a)"],
        [f"page_id = '{A}'; print('{B}')"],
        [f"x, page_id = '{A}', 1"],
    ],
)
def test_a_typed_result_is_found(cells):
    assert list(typed_digests(cells, f"IMAGE ID {A}")) != []
