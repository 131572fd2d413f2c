"""`python -m officepro.cli`, by which the supervisor starts its children with its own interpreter."""

from officepro.cli import main

main()
