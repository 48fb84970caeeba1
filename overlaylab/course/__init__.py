"""What a lesson is made of: exercises, hints, forms, predictions, progress, the map."""

from functools import partial

from overlaylab import list_names, load_name

__getattr__ = partial(
    load_name,
    __name__,
    {
        "answers": "letters plain",
        "ask": "check",
        "exercises": "Exercise Feedback choices every_exercise exercise find_exercise hint hints prediction",
        "form": "predict",
        "map": "MapGuide info_table machine_report map_picture",
        "notes": "reset_progress",
        "practice_page": "page",
        "standing": "progress",
    },
)
__dir__ = partial(list_names, __name__)
