"""Record what this machine's kernel does in the notebooks, for machines without one. For root.

    python tools/record_replays.py

Runs the code of the notebooks and writes overlaylab/data/replays.json.
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
TARGET = ROOT / "overlaylab" / "data" / "replays.json"


def main():
    """Run every notebook that asks the kernel, and keep its answers."""
    import nbformat

    from overlaylab.kernel.tried import LIVE, to_plain

    if not TARGET.exists():
        TARGET.write_text("{}\n", encoding="utf-8")
    for path in sorted((ROOT / "notebooks").glob("0[5-7]*.ipynb")):
        names = {}
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "code" and "raises-exception" not in cell.metadata.get("tags", []):
                exec(cell.source, names)
    plain = {name: to_plain(done) for name, done in LIVE.items()}
    TARGET.write_text(json.dumps(plain, indent=1, sort_keys=True, ensure_ascii=True) + "\n", encoding="utf-8")
    print(f"{len(plain)} records written.")


if __name__ == "__main__":
    main()
