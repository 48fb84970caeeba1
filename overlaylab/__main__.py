"""``python -m overlaylab`` is the command line."""

from .cli import main

main()
