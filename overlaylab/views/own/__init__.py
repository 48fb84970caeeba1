"""The image that the learner brings, from its name to its files."""

from overlaylab import load_lazily

__all__, __getattr__, __dir__ = load_lazily(
    __name__,
    {
        "overview": "findings journey journey_picture mount_lines proof_table",
        "layers": "own_names waste_table",
        "report": "own_report",
        "tamper_lab": "who_notices",
        "widgets": "LayerBrowser ReportKeeper SourceChooser TamperLab open_own",
    },
)
