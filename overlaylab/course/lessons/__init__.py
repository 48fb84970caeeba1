"""The exercises of each notebook, loaded when one of them is checked."""
