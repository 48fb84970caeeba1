# Made by tools/stubs.py from the names that __init__.py gives.
from .overview import (findings, journey, journey_picture, mount_lines, proof_table)
from .layers import (LayerBrowser, own_names, waste_table)
from .report import (ReportKeeper, own_report)
from .source_chooser import (SourceChooser, open_own)
from .tamper_lab import (TamperLab, who_notices)
__all__ = ["LayerBrowser", "ReportKeeper", "SourceChooser", "TamperLab", "findings", "journey", "journey_picture",
    "mount_lines", "open_own", "own_names", "own_report", "proof_table", "waste_table", "who_notices"]
