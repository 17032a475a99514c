"""python3 -m tests: all of them; what is skipped is named with its reason.

The last line of standard output has the counts: passed, skipped, failed.
"""

from __future__ import annotations

import sys
import unittest
from collections import defaultdict
from pathlib import Path
from typing import Dict, List


def main() -> int:
    here = Path(__file__).resolve().parent
    suite = unittest.defaultTestLoader.discover(str(here), top_level_dir=str(here.parent))
    result = unittest.TextTestRunner(verbosity=0).run(suite)
    reasons: Dict[str, List[str]] = defaultdict(list)
    for test, reason in result.skipped:
        reasons[reason].append(test.id().rpartition(".")[2])
    for reason, names in sorted(reasons.items()):
        print("skipped: %s: %s" % (reason, ", ".join(sorted(names))))
    failed = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    skipped = len(result.skipped)
    print(result.testsRun - skipped - failed, skipped, failed)
    # No test at all is no success.
    return 0 if result.wasSuccessful() and result.testsRun > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
