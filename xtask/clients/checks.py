"""Runs the functions of a script whose names begin so, and says what each has shown."""

import sys
import traceback


def main(functions, *prefixes):
    failed = 0
    for name, function in list(functions.items()):
        if not name.startswith(prefixes):
            continue
        try:
            function()
        except BaseException:
            failed += 1
            print('  FAILED  %s' % function.__doc__)
            traceback.print_exc(file=sys.stdout)
        else:
            print('  ok  %s' % function.__doc__)
        sys.stdout.flush()
    sys.exit(1 if failed else 0)
