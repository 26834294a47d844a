"""`python -m campaigns.cli` is `postroom`."""

from campaigns.cli import main

main()
