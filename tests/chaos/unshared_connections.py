"""Not a test: an API without a share of database connections per practice, as the drill's control."""

from officepro.cli import main
from officepro.foundation.checkout import Checkout

Checkout._may_take = lambda pool, _: pool._free > 0  # type: ignore[assignment, method-assign]

if __name__ == "__main__":
    main()
