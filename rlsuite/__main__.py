"""``python -m rlsuite``."""

import sys

from rlsuite.cli.main import main

sys.exit(main())
