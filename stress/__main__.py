"""``python -m stress``: the same as ``python -m stress.storm``."""

import sys

from stress.storm import main

sys.exit(main())
