"""``python -m stream`` is the command ``deskpulse``."""

import sys

from stream.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
