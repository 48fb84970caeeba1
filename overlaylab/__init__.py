"""How does a container image become the filesystem that a process sees?"""

from __future__ import annotations

__version__ = "0.1.0"
