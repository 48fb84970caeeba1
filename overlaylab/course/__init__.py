"""What a lesson is made of: exercises, hints, forms, predictions, progress, the map."""

from overlaylab import load_lazily

__all__, __getattr__, __dir__ = load_lazily(
    __name__,
    {
        "ask": "check",
        "exercises": "Exercise Feedback choices every_exercise exercise find_exercise hint hints letters plain prediction",
        "form": "predict",
        "map": "MapGuide info_table machine_report map_picture",
        "notes": "reset_progress",
        "practice_page": "page",
        "standing": "progress",
    },
)
