"""Not a test: an API that counts failed authentications per address and checks the count before the credential.
The control of tests/chaos/test_neighbours.py."""

import functools
from collections.abc import Callable
from typing import Any

from officepro.access.gate import Gate, InvalidAdminSecret, InvalidApiKey, TooManyFailures
from officepro.access.limits import Limit, Standing, network_of
from officepro.access.tokens import InvalidToken
from officepro.cli import main

FAILURES = Limit("failures of an address", 10)


def refuse(standing: Standing) -> None:
    """Raise TooManyFailures if the limit is exceeded."""
    if not standing.allowed:
        raise TooManyFailures(retry_after_seconds=standing.retry_after_seconds)


def counting(check: Callable[..., Any], address_at: int, *, is_looked_at_first: bool) -> Callable[..., Any]:
    """Wrap an authentication method so that it counts failures per address."""

    @functools.wraps(check)
    async def checked(gate: Gate, *arguments: Any) -> Any:
        address = network_of(arguments[address_at])
        if is_looked_at_first:
            refuse(gate.look(FAILURES, address))
        try:
            return await check(gate, *arguments)
        except (InvalidToken, InvalidApiKey):
            refuse(gate.spend(FAILURES, address))
            raise

    return checked


def admit_admin(gate: Gate, secret: str | None, address: str) -> None:
    """Authenticate the admin secret, counting failures per address."""
    refuse(gate.look(FAILURES, network_of(address)))
    try:
        really_admit_admin(gate, secret, address)
    except InvalidAdminSecret:
        refuse(gate.spend(FAILURES, network_of(address)))
        raise


really_admit_admin = Gate.admit_admin
Gate.admit_admin = admit_admin  # type: ignore[method-assign, assignment]
Gate.admit = counting(Gate.admit, 1, is_looked_at_first=False)  # type: ignore[method-assign]
Gate.identify = counting(Gate.identify, 2, is_looked_at_first=True)  # type: ignore[method-assign]
Gate.sign_in = counting(Gate.sign_in, 1, is_looked_at_first=True)  # type: ignore[method-assign]

if __name__ == "__main__":
    main()
