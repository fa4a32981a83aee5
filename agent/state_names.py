"""Names that the command line needs before anything heavy is imported."""

from __future__ import annotations

EXIT_CODES = {"verified": 0, "error": 1, "partial": 3, "abstained": 4, "unverified": 5}
