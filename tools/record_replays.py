"""Record what this machine's kernel does in the notebooks, for machines without one. For root.

    python tools/record_replays.py

Runs the code of the notebooks and writes overlaylab/data/replays.json, and the experiments of notebook 07 and writes
overlaylab/data/proof.json. A test of the kernel tier makes both anew and compares.
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
DATA = ROOT / "overlaylab" / "data"


def main():
    """Write both files."""
    for name, made in (("replays.json", replays()), ("proof.json", proof())):
        (DATA / name).write_text(as_text(made), encoding="utf-8")
        print(f"{name} written.")


def as_text(made):
    """As it is stored."""
    return json.dumps(made, indent=1, sort_keys=True, ensure_ascii=True) + "\n"


def replays():
    """Run every notebook that asks the kernel, and catch every rule that can be broken; keep the kernel's answers."""
    import nbformat

    from overlaylab.kernel import proof
    from overlaylab.kernel.recorded_replays import LIVE, to_plain
    from overlaylab.linux.proof.mutants import BROKEN

    if not (DATA / "replays.json").exists():
        (DATA / "replays.json").write_text("{}\n", encoding="utf-8")
    for path in sorted((ROOT / "notebooks").glob("0[4-7]*.ipynb")):
        names = {}
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "code" and "raises-exception" not in cell.metadata.get("tags", []):
                exec(cell.source, names)
    for name in BROKEN:
        proof.catch(name)
    return {name: to_plain(done) for name, done in LIVE.items()}


def proof():
    """Run the experiments of the small proof."""
    from overlaylab.kernel.proof import recording

    return recording()


if __name__ == "__main__":
    main()
