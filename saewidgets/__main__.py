"""`python -m saewidgets` is `saewidgets`."""

import sys

from saewidgets.cli import main

sys.exit(main())
