"""``python -m overlaylab`` is the command line."""

from overlaylab.cli.commands import main

main()
