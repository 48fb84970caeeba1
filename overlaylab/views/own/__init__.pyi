# Made by tools/stubs.py from the names that __init__.py gives.
from .overview import (findings, journey, journey_picture, mount_lines, proof_table)
from .layers import (own_names, waste_table)
from .report import (own_report)
from .tamper_lab import (who_notices)
from .widgets import (LayerBrowser, ReportKeeper, SourceChooser, TamperLab, open_own)
__all__ = ["LayerBrowser", "ReportKeeper", "SourceChooser", "TamperLab", "findings", "journey", "journey_picture",
    "mount_lines", "open_own", "own_names", "own_report", "proof_table", "waste_table", "who_notices"]
