"""Not a test: an API that lets everybody in for whom there is room, so that the drill sees what that does."""

from officepro import door
from officepro.cli import main

door.MAXIMUM_FRESH = door.MAXIMUM_IN_FLIGHT

if __name__ == "__main__":
    main()
