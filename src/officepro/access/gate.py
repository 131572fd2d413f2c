"""The gate: every request passes it once, and a handler behind it knows its caller.

It keeps what it has learnt of a key for a few seconds, so that a warm request costs no round trip and a revoked key
stops on every worker soon after.
"""

import hmac
import time
from collections.abc import Callable

from officepro.access import queries
from officepro.access.caller import Caller
from officepro.access.key_states import KeyStates
from officepro.access.limits import Limit, Limiter, Standing, network_of
from officepro.access.queries import KeyState
from officepro.access.tokens import LIFETIME, InvalidToken, Tokens
from officepro.foundation import clock
from officepro.foundation.database import Database
from officepro.foundation.errors import Forbidden, TooManyRequests, Unauthorized
from officepro.foundation.secrets import are_equal, fingerprint, key_id_of

FAILURES_PER_MINUTE = Limit("authentication failures", 10)


class InvalidApiKey(Unauthorized):
    """The API key is not valid for this practice."""

    code = "invalid_api_key"


class InvalidAdminSecret(Unauthorized):
    """Send the admin secret in the X-Admin-Secret header."""

    code = "invalid_admin_secret"

    headers = {"WWW-Authenticate": "AdminSecret"}  # noqa: RUF012


class TooManyFailures(TooManyRequests):
    """Too many failed attempts from this address; wait as long as Retry-After says."""

    code = "too_many_failures"


class RateLimited(TooManyRequests):
    """This key has used up its requests for the moment; wait as long as Retry-After says."""

    code = "rate_limited"


class MissingScope(Forbidden):
    """This key lacks the scope that this address needs."""

    code = "missing_scope"


class AnotherPractice(Forbidden):
    """This token belongs to another practice; exchange the key at that practice's own /auth/token."""

    code = "another_practice"


class Gate:
    def __init__(
        self,
        database: Database,
        tokens: Tokens,
        limiter: Limiter,
        *,
        admin_secret: str,
        requests_per_minute: int,
    ) -> None:
        self._database = database
        self._tokens = tokens
        self._limiter = limiter
        self._admin_secret = admin_secret.encode()
        self._requests = Limit("requests of a key", requests_per_minute) if requests_per_minute else None
        self._states = KeyStates(database)
        self._used: dict[int, float] = {}

    async def exchange(self, api_key: str, practicepass: str, address: str) -> str:
        """An access token for an API key. Whatever is wrong with key or practice, the refusal is one and the same."""
        self._refuse_after_failures(address)
        found = None
        async with self._database.system() as db:
            found = await queries.key_and_practice(db, key_id_of(api_key) or 0, _askable(practicepass))
        state, stored, practice_id = found or (None, bytes(32), None)
        is_right = are_equal(fingerprint(api_key), stored)
        if (
            state is None
            or not is_right
            or not state.usable
            or practice_id is None
            or state.practice_id not in (None, practice_id)
        ):
            self._count_failure(address)
            raise InvalidApiKey
        now = clock.now()
        caller = Caller(
            key_id=state.key_id,
            partner_id=state.partner_id,
            practice_id=practice_id,
            practicepass=practicepass,
            scopes=state.scopes,
            expires_at=int((now + LIFETIME).timestamp()),
        )
        self._used[state.key_id] = time.time()
        return self._tokens.issue(caller, now)

    async def admit(
        self, authorization: str | None, address: str, count: Callable[[int], None]
    ) -> tuple[Caller, Standing | None]:
        """The caller of a bearer token whose key still stands, and how the key now stands with its limit. `count` is
        called with the key's id as soon as the token is verified, before the database is asked."""
        if authorization is None:
            raise Unauthorized
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthorized
        try:
            caller = self._tokens.verify(token.strip(" "), time.time())
            count(caller.key_id)
            state = await self._state(caller.key_id, caller.practice_id)
        except InvalidToken:
            self._count_failure(address)
            raise
        if not caller.scopes <= state.scopes:
            caller = Caller(
                caller.key_id,
                caller.partner_id,
                caller.practice_id,
                caller.practicepass,
                caller.scopes & state.scopes,
                caller.expires_at,
            )
        self._used[caller.key_id] = time.time()
        if self._requests is None:
            return caller, None
        return caller, self._limiter.spend(self._requests, f"{caller.key_id} {caller.practice_id}")

    async def recipient(self, caller: Caller) -> KeyState | None:
        """The caller's key as it is named now, for the disclosure log: cached since the caller was admitted."""
        return await self._states.of(caller.key_id, caller.practice_id)

    async def sign_in(self, entered: str, address: str) -> int | None:
        """For the portal: the id of the key that was entered, None for the admin secret. Raises InvalidApiKey."""
        self._refuse_after_failures(address)
        if hmac.compare_digest(entered.encode(), self._admin_secret):
            return None
        async with self._database.system() as db:
            found = await queries.key_and_practice(db, key_id_of(entered) or 0, "")
        state, stored, _ = found or (None, bytes(32), None)
        if state is None or not are_equal(fingerprint(entered), stored) or not state.usable:
            self._count_failure(address)
            raise InvalidApiKey
        return state.key_id

    def admit_admin(self, secret: str | None, address: str) -> None:
        self._refuse_after_failures(address)
        if secret is None:
            raise InvalidAdminSecret
        if not hmac.compare_digest(secret.encode("latin-1"), self._admin_secret):  # the header's own bytes
            self._count_failure(address)
            raise InvalidAdminSecret

    def spend(self, limit: Limit, subject: str) -> Standing:
        """Take one of a limit that another room sets."""
        return self._limiter.spend(limit, subject)

    async def flush_use(self) -> None:
        """Write down when the keys were last used; called every few seconds."""
        used, self._used = self._used, {}
        if used:
            async with self._database.system() as db:
                await queries.note_use(db, {key: clock.from_seconds(at) for key, at in used.items()})

    def _refuse_after_failures(self, address: str) -> None:
        _refuse_unless_allowed(self._limiter.look(FAILURES_PER_MINUTE, network_of(address)))

    def _count_failure(self, address: str) -> None:
        """Refuses too: of many attempts at once that all passed the look, no more are heard than one by one."""
        _refuse_unless_allowed(self._limiter.spend(FAILURES_PER_MINUTE, network_of(address)))

    async def _state(self, key_id: int, practice_id: int) -> KeyState:
        """Raises InvalidToken when the key, its partner or the practice no longer stands."""
        state = await self._states.of(key_id, practice_id)
        if state is None or not state.usable:
            raise InvalidToken
        return state


def _refuse_unless_allowed(standing: Standing) -> None:
    if not standing.allowed:
        raise TooManyFailures(retry_after_seconds=standing.retry_after_seconds)


def _askable(practicepass: str) -> str:
    """What the database can be asked for: it refuses NUL and lone surrogates, and no practice has them."""
    return practicepass if practicepass.isprintable() else ""


def require(scopes: frozenset[str], scope: str) -> None:
    if scope not in scopes:
        raise MissingScope(f"This key lacks the scope {scope}. Ask the practice to grant it.", scope=scope)
