"""Not a test: an API that lets everybody in for whom there is room, so that the drill sees what that does."""

from officepro import door
from officepro.access import concurrency
from officepro.cli import main

door.MAXIMUM_FRESH = concurrency.MAXIMUM_FRESH = door.MAXIMUM_IN_FLIGHT
concurrency.UNDER_PRESSURE = 2.0  # no key is ever refused for its share

if __name__ == "__main__":
    main()
