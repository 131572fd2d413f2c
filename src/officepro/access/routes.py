"""Exchange of an API key for an access token. (source API specification: Authentication)"""

from typing import Annotated

from litestar import Router, post
from litestar.params import JSONBody, PathParameter

from officepro.access.asked import TheGate
from officepro.access.gate import InvalidApiKey, TooManyFailures
from officepro.access.guards import address_of, is_open, log_key, log_practice
from officepro.access.shapes import AccessToken, ExchangeKey
from officepro.access.tokens import EXPIRES_IN
from officepro.foundation.documented import documented
from officepro.foundation.input import AnyRequest

MAXIMUM_BODY_BYTES = 16 * 1024  # the caller is not authenticated yet

# Any text: an impossible PPass is refused with the same message as an unknown one.
AnyPPass = Annotated[str, PathParameter(description="The practice's name in URLs.")]


@post(
    "/token",
    summary="Exchange your API key for an access token",
    status_code=200,
    request_max_body_size=MAXIMUM_BODY_BYTES,
    guards=[is_open("callers authenticate here")],
    opt=documented(
        example_request={"apiKey": "your_api_key_here"},
        example_response={"accessToken": "eyJhbGciOiJIUzI1NiIs...", "tokenType": "Bearer", "expiresIn": EXPIRES_IN},
        errors=[InvalidApiKey, TooManyFailures],
    ),
)
async def exchange_key(
    practicepass: AnyPPass, data: JSONBody[ExchangeKey], gate: TheGate, request: AnyRequest
) -> AccessToken:
    """Returns an access token that is bound to the practice, the key and its scopes. A wrong key, a revoked key, a key
    of another practice and an unknown practice return the same error."""
    log_practice(request.scope)
    credential = await gate.identify(data.api_key, practicepass, address_of(request.scope))
    log_key(request.scope, credential.state)
    return AccessToken(gate.exchange(credential, practicepass), "Bearer", EXPIRES_IN)


router = Router("/v1/{practicepass:str}/auth", route_handlers=[exchange_key], tags=["Authentication"])
