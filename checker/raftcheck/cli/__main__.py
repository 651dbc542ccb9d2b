"""`python -m raftcheck.cli`."""

import sys

from raftcheck.cli.main import main

sys.exit(main())
