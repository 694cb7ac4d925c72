"""Whether the tests try everything, as with ``make test-long``, or a sample where there is a lot to try."""

import os

THOROUGH = bool(os.environ.get("THOROUGH"))
