"""What was compared, and what came of it."""

import re

# Differences on purpose, as docs/differences.md tells them; they count as skipped while they last.
ON_PURPOSE = [
    re.compile(r"(redis|postgres1|postgres2): a first write of what is there"),
    re.compile(r"redis: whether the time is told"),
    # Neither has an answer where the server has no RedisJSON; the codes of the errors are others.
    re.compile(r"redis: query"),
    re.compile(r"redis documents: query .*NEQ"),
]


class Check:
    """Counts comparisons, and tells those that failed."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def same(self, what, ours, theirs):
        """Both sidecars are to show the same."""
        if ours == theirs:
            self.passed += 1
            return
        if any(known.match(what) for known in ON_PURPOSE):
            self.skipped += 1
            return
        self.failed += 1
        print(f"DIFFERS: {what}\n  Trilby: {ours!r}\n  other:  {theirs!r}")

    def true(self, what, condition, seen=None):
        """Something is to be so."""
        if condition:
            self.passed += 1
            return
        self.failed += 1
        print(f"FAILED: {what}: {seen!r}")

    def skip(self, what):
        """Something cannot be compared here."""
        self.skipped += 1
        print(f"skipped: {what}")
