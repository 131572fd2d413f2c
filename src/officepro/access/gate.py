"""Authentication of API keys, access tokens and the admin secret.

Key states are cached for a few seconds, so that a request with a cached key costs no round trip and a revoked key stops
working on every worker soon after.

The credential is checked first, and **only wrong guesses are counted**, so that no caller is refused for requests that
others send from the same address:

- A valid credential is accepted, independent of other requests from its address.
- Not a guess, and not counted: an expired token, a token whose key was revoked or has expired, a right key that was
  revoked, has expired or is not valid for the practice that it is sent to, and an API key sent in place of a token.
- Counted, at most WRONG_SECRETS a minute: wrong secrets for one key id from one address (an IPv6 /64 is one); wrong
  admin secrets from one address. Counted, at most WRONG_CREDENTIALS a minute from one address: all of these, malformed
  keys, and tokens that do not verify. Key exchange, portal sign-in, the admin secret and tokens are counted separately.
  Beyond a limit a wrong credential is answered 429 instead of 401.

These limits bound noise and cost. They do not protect the secrets, whose 190 random bits cannot be guessed. The cost of
a flood is bounded without refusing valid keys: a malformed key (its checksum is wrong) costs no query, and concurrent
queries for well-formed keys are batched into one statement, so that a worker runs one such statement at a time, or a
few where the database is slow. The response time does not reveal whether a key id is unknown or its secret wrong: both
are queried and compared in the same way."""

import hmac
import time
from collections.abc import Callable, Sequence

import msgspec

from officepro.access import queries
from officepro.access.caller import Caller
from officepro.access.key_states import KeyStates
from officepro.access.limits import DAY_SECONDS, Limit, Limiter, Standing, network_of
from officepro.access.queries import Credential, KeyState
from officepro.access.tokens import LIFETIME, InvalidToken, Tokens, UnverifiableToken
from officepro.foundation import clock
from officepro.foundation.database import Database
from officepro.foundation.errors import Forbidden, TooManyRequests, Unauthorized
from officepro.foundation.joining import Joined
from officepro.foundation.secrets import API_KEY_PREFIX, are_equal, fingerprint, key_id_of

WRONG_SECRETS = 10  # a minute, for one key id or for the admin secret, from one address
WRONG_CREDENTIALS = 600  # a minute, of whatever form, from one address
MOST_LOOKED_UP = 500  # keys in one batch
ADMIN = "admin"


class GuessLimits:
    """Limits on wrong credentials at one of the places where credentials are checked."""

    def __init__(self, place: str) -> None:
        self.per_secret = Limit(f"wrong secrets at {place}", WRONG_SECRETS)
        self.per_address = Limit(f"wrong credentials at {place}", WRONG_CREDENTIALS)


AT_EXCHANGE = GuessLimits("key exchange")
AT_SIGN_IN = GuessLimits("portal sign-in")
AT_ADMIN_API = GuessLimits("the admin API")
AT_PARTNER_API = GuessLimits("the partner API")


class InvalidApiKey(Unauthorized):
    """The API key is not valid for this practice. Check the key and the PPass in the URL."""

    code = "invalid_api_key"


class InvalidAdminSecret(Unauthorized):
    """The admin secret is missing or wrong. Send it in the X-Admin-Secret header."""

    code = "invalid_admin_secret"

    headers = {"WWW-Authenticate": "AdminSecret"}  # noqa: RUF012


class TooManyFailures(TooManyRequests):
    """Too many wrong credentials from this address. Check the key or secret that you send, and retry after the number
    of seconds in Retry-After. A valid credential is accepted at any time."""

    code = "too_many_failures"


class RateLimited(TooManyRequests):
    """The rate limit of this API key is exceeded. Retry after the number of seconds in Retry-After."""

    code = "rate_limited"


class PatientBudgetExceeded(TooManyRequests):
    """This API key has received data of as many patients today as its daily budget allows. Retry after midnight UTC
    (see Retry-After), or ask the practice for a larger budget."""

    code = "patient_budget_exceeded"


class MissingScope(Forbidden):
    """This API key lacks the scope that this endpoint requires."""

    code = "missing_scope"


class AnotherPractice(Forbidden):
    """This token belongs to another practice. Exchange the API key at this practice's /auth/token."""

    code = "another_practice"


class Gate:
    """The authenticator: verifies API keys, access tokens and the admin secret. One in each worker."""

    def __init__(
        self,
        database: Database,
        tokens: Tokens,
        limiter: Limiter,
        *,
        admin_secrets: Sequence[str],
        requests_per_minute: int,
        patient_budget_per_day: int = 0,
    ) -> None:
        """Create the authenticator. `admin_secrets` has the current secret, and during a rotation the previous one;
        empty ones are ignored."""
        self._database = database
        self._tokens = tokens
        self._limiter = limiter
        self._admin_secrets = [secret.encode() for secret in admin_secrets if secret]
        self._requests = Limit("requests of a key", requests_per_minute) if requests_per_minute else None
        self._patient_budget = patient_budget_per_day
        self._states = KeyStates(database)
        self._lookups: Joined[tuple[int, str], Credential] = Joined(self._look_up, MOST_LOOKED_UP)
        self._used: dict[int, float] = {}

    async def identify(self, api_key: str, practicepass: str, address: str) -> Credential:
        """Return the key whose secret was sent, usable or not. Raises InvalidApiKey, TooManyFailures."""
        return await self._identify(api_key, practicepass, address, AT_EXCHANGE)

    def exchange(self, credential: Credential, practicepass: str) -> str:
        """Return an access token for a key that was identified. Raises InvalidApiKey, with the same message for every
        fault of key or practice."""
        state, practice_id = credential.state, credential.practice_id
        if state is None or not state.usable or practice_id is None or state.practice_id not in (None, practice_id):
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
    ) -> tuple[Caller, KeyState, Standing | None]:
        """Return the caller of a valid token whose key is active, the key's state, and the state of its rate limit
        (None without a limit).

        `count` is called with the key's id as soon as the token is verified, before the database is queried. Raises
        Unauthorized, InvalidToken, TooManyFailures."""
        if authorization is None:
            raise Unauthorized
        scheme, _, token = authorization.partition(" ")
        token = token.strip(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthorized
        if token.startswith(API_KEY_PREFIX):
            raise InvalidToken(
                "This is an API key, not an access token. Exchange it at POST /v1/{PPass}/auth/token, and send the "
                "accessToken of the response as the Bearer token."
            )
        try:
            caller = self._tokens.verify(token, time.time())
        except UnverifiableToken:
            self._count_guess(AT_PARTNER_API, address, None)
            raise
        count(caller.key_id)
        state = await self._states.of(caller.key_id, caller.practice_id)
        if state is None or not state.usable:
            raise InvalidToken
        if not caller.scopes <= state.scopes:
            caller = msgspec.structs.replace(caller, scopes=caller.scopes & state.scopes)
        own = state.patient_budget_per_day
        if budget := self._patient_budget if own is None else own:
            caller = msgspec.structs.replace(caller, patient_budget=budget)
        self._used[caller.key_id] = time.time()
        if self._requests is None:
            return caller, state, None
        return caller, state, self._limiter.spend(self._requests, f"{caller.key_id} {caller.practice_id}")

    async def sign_in(self, entered: str, address: str) -> int | None:
        """Return the id of the key that was entered in the portal; None for the admin secret. Raises InvalidApiKey,
        TooManyFailures."""
        if self._is_admin_secret(entered.encode()):
            return None
        credential = await self._identify(entered, "", address, AT_SIGN_IN)
        if credential.state is None or not credential.state.usable:
            raise InvalidApiKey
        return credential.state.key_id

    def admit_admin(self, secret: str | None, address: str) -> None:
        """Verify the admin secret. Raises InvalidAdminSecret, TooManyFailures."""
        if secret is None:
            raise InvalidAdminSecret
        if not self._is_admin_secret(secret.encode("latin-1")):  # the header's own bytes
            self._count_guess(AT_ADMIN_API, address, ADMIN)
            raise InvalidAdminSecret

    def look(self, limit: Limit, subject: str) -> Standing:
        """Return a subject's state under a limit that another package sets."""
        return self._limiter.look(limit, subject)

    def spend(self, limit: Limit, subject: str) -> Standing:
        """Take one unit of a limit that another package sets, if one is left."""
        return self._limiter.spend(limit, subject)

    def count_patients(self, caller: Caller, patients: int, *, is_forced: bool = False) -> None:
        """Count patients in a response against the key's daily budget; with 0, check whether any of it is left.

        The budget is shared by all workers of a machine; each machine counts separately. It is checked and counted in
        one step, and a response is allowed as long as something is left: a key gets at most the budget, one further
        response, and forced ones. Raises PatientBudgetExceeded, unless it is forced."""
        if not caller.patient_budget:
            return
        limit = Limit("patients of a key", caller.patient_budget, window_seconds=DAY_SECONDS)
        standing = self._limiter.spend_of_day(limit, str(caller.key_id), patients, is_forced=is_forced)
        if not standing.allowed and not is_forced:
            raise PatientBudgetExceeded(retry_after_seconds=standing.retry_after_seconds)

    async def flush_use(self) -> None:
        """Store the times at which keys were last used. Called every few seconds."""
        used, self._used = self._used, {}
        if used:
            async with self._database.system() as db:
                await queries.note_use(db, {key: clock.from_seconds(at) for key, at in used.items()})

    async def _identify(self, api_key: str, practicepass: str, address: str, limits: GuessLimits) -> Credential:
        key_id = key_id_of(api_key)
        if key_id is not None:
            credential = await self._lookups.do((key_id, _askable(practicepass)))
            if are_equal(fingerprint(api_key), credential.secret_sha256) and credential.state is not None:
                return credential
        # In the portal, an entry that is not an API key is a guess at the admin secret.
        subject = ADMIN if key_id is None and limits is AT_SIGN_IN else key_id
        self._count_guess(limits, address, subject)
        raise InvalidApiKey

    async def _look_up(self, several: Sequence[tuple[int, str]]) -> list[Credential]:
        async with self._database.system() as db:
            return await queries.credentials(db, several)

    def _is_admin_secret(self, secret: bytes) -> bool:
        """Compare with every admin secret, so that the time does not reveal which one matches."""
        return sum(hmac.compare_digest(secret, one) for one in self._admin_secrets) > 0

    def _count_guess(self, limits: GuessLimits, address: str, subject: int | str | None) -> None:
        """Count a wrong credential. `subject` is the key id or ADMIN whose secret was guessed, None if unknown. A guess
        that the narrower limit refuses does not use up the wider one. Raises TooManyFailures."""
        network = network_of(address)
        standing = self._limiter.look(limits.per_address, network)
        if standing.allowed and subject is not None:
            standing = self._limiter.spend(limits.per_secret, f"{network} {subject}")
        if standing.allowed:
            standing = self._limiter.spend(limits.per_address, network)
        if not standing.allowed:
            raise TooManyFailures(retry_after_seconds=standing.retry_after_seconds)


def _askable(practicepass: str) -> str:
    """Return a practicepass that can be sent to the database, which rejects NUL and lone surrogates; no practice has
    them."""
    return practicepass if practicepass.isprintable() else ""


def require(scopes: frozenset[str], scope: str) -> None:
    """Raises MissingScope if the scope is not among the key's scopes."""
    if scope not in scopes:
        raise MissingScope(f"This API key lacks the scope {scope}. Ask the practice to grant it.", scope=scope)
