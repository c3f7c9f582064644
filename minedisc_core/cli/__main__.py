"""`python -m minedisc_core.cli`: the same as the `minedisc` script."""

import sys

from minedisc_core.cli import main

if __name__ == "__main__":  # the processes of `scan --workers` import this module again
    sys.exit(main())
