"""`python -m officepro.cli`: the supervisor starts its child processes with this, in its own interpreter."""

from officepro.cli import main

main()
