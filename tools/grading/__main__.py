"""``python tools/grading student`` and ``python tools/grading grade FOLDER``."""

import sys
from pathlib import Path

TOOLS = Path(__file__).resolve().parent.parent
sys.path[:1] = [str(TOOLS), str(TOOLS.parent)]

from grading.command import main  # noqa: E402 - the path above must come first

if __name__ == "__main__":
    sys.exit(main())
