"""Regular expressions compiled on first use, so that importing the tools stays cheap."""

from __future__ import annotations

import re
from functools import cache


@cache
def compiled(pattern: str) -> re.Pattern[str]:
    """The compiled pattern; kept for the life of the process. For constant patterns only."""
    return re.compile(pattern)
