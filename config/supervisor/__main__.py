"""`python -m config.supervisor` is what `make run` runs."""

import sys

from . import main

sys.exit(main())
