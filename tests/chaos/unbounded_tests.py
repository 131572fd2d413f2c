"""Not a test: an API without limits on test events and without a share per key, as the drill's control."""

from officepro.access import concurrency
from officepro.cli import main
from officepro.webhooks import manual

manual.PLACES = manual.PLACES_PER_SUBSCRIPTION = 10_000
concurrency.UNDER_PRESSURE = 100.0

if __name__ == "__main__":
    main()
