"""The image that the learner brings, from its name to its files."""

from functools import partial

from overlaylab import list_names, load_name

__getattr__ = partial(
    load_name,
    __name__,
    {
        "overview": "findings journey journey_picture mount_lines proof_table",
        "layers": "LayerBrowser own_names waste_table",
        "report": "ReportKeeper own_report",
        "source_chooser": "SourceChooser open_own",
        "tamper_lab": "TamperLab who_notices",
    },
)
__dir__ = partial(list_names, __name__)
