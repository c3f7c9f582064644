"""`python -m minedisc_core.cli`: the same as the `minedisc` script."""

import sys

from minedisc_core.cli import main

sys.exit(main())
