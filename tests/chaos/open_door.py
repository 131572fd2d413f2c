"""Not a test: an API that admits requests up to its capacity without a share per key, as the drill's control."""

from officepro import door
from officepro.access import concurrency
from officepro.cli import main

door.MAXIMUM_FRESH = concurrency.MAXIMUM_FRESH = door.MAXIMUM_IN_FLIGHT
concurrency.UNDER_PRESSURE = 2.0  # no key is refused because of its share

if __name__ == "__main__":
    main()
