# Made by tools/stubs.py from the names that __init__.py gives.
from .answers import (letters, plain)
from .ask import (check)
from .exercises import (Exercise, Feedback, choices, every_exercise, exercise, find_exercise, hint, hints, prediction)
from .form import (predict)
from .map import (MapGuide, info_table, machine_report, map_picture)
from .notes import (reset_progress)
from .practice_page import (page)
from .standing import (progress)
__all__ = ["Exercise", "Feedback", "MapGuide", "check", "choices", "every_exercise", "exercise", "find_exercise",
    "hint", "hints", "info_table", "letters", "machine_report", "map_picture", "page", "plain", "predict", "prediction",
    "progress", "reset_progress"]
