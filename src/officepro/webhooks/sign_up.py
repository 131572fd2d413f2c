"""Creating or updating an API key's subscription. (Source API specification: POST /v1/webhooks/signup)"""

from collections.abc import Sequence

from officepro.access.gate import require
from officepro.foundation.database import Connection
from officepro.foundation.errors import Impossible, Invalid
from officepro.foundation.outbound.addresses import Network
from officepro.foundation.outbound.failures import ForbiddenAddress, InvalidUrl
from officepro.foundation.outbound.names import check_destination
from officepro.webhooks import queries
from officepro.webhooks.queries import Subscription
from officepro.webhooks.sealing import Sealer
from officepro.webhooks.signing import make_secret


class ForbiddenHookUrl(Impossible):
    """`hookUrl` resolves to an address that is not public. Use a URL that is reachable from the internet."""

    code = "forbidden_hook_url"


async def check_hook_url(url: str, allowed_networks: Sequence[Network]) -> None:
    """Check that the URL is valid and its address is public or in an allowed network. Raises Invalid, ForbiddenHookUrl.

    Queries DNS, so do not call it within a transaction. A name that does not resolve yet is accepted.
    """
    try:
        await check_destination(url, allowed_networks)
    except InvalidUrl as error:
        raise Invalid.at("body.hookUrl", str(error)) from None
    except ForbiddenAddress as error:
        raise ForbiddenHookUrl(str(error)) from None


def check_scopes(wanted: Sequence[str], held: frozenset[str]) -> list[str]:
    """Return the scopes without duplicates, in the given order. Raises MissingScope for one that the key lacks."""
    for scope in wanted:
        require(held, scope)
    return list(dict.fromkeys(wanted))


async def sign_up(
    db: Connection, key_id: int, hook_url: str, scopes: list[str], sealer: Sealer
) -> tuple[Subscription, str | None]:
    """Create or update the key's subscription. Return it and its new secret, None if it was updated."""
    found = await queries.find_subscription(db, key_id, lock=True)
    if found is None:
        secret = make_secret()
        if (made := await queries.create(db, key_id, hook_url, scopes, sealer.seal(secret))) is not None:
            return made, secret
        found = await queries.subscription_of(db, key_id, lock=True)  # a concurrent request created it
    return await queries.change(db, found.subscription_id, hook_url, scopes), None
