"""``python -m ethicalai_lab`` is ``ethicalai-lab``."""

import sys

from ethicalai_lab.cli import main

if __name__ == "__main__":
    sys.exit(main())
