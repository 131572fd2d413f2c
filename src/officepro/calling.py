"""How a partner's request becomes a handler's arguments, and what the handler returns the answer.

Litestar routes, keeps the handlers' declarations, and catches what they raise. Between the two it copies the handler
for each guard, and runs every argument through a chain of extractors, every dependency through a model of its own, and
every answer through two response objects: more work than most handlers do. What a handler of the API may ask for is a
closed set (parameters, a JSON body, and what the application's dependencies provide), so here all that is worked out
once, when the application is assembled, and a request costs one conversion.

A handler that asks for more than this set, such as a page of the portal, is called by Litestar as ever.
"""

import re
from collections.abc import Callable, Mapping, Set
from contextlib import suppress
from inspect import signature
from math import inf
from types import CoroutineType
from typing import Any, cast

import msgspec
from litestar import Litestar, Request, Response
from litestar._asgi.routing_trie.types import ASGIHandlerTuple
from litestar._asgi.utils import is_valid_host
from litestar.enums import ParamType
from litestar.handlers import HTTPRouteHandler
from litestar.middleware._internal.exceptions import ExceptionHandlerMiddleware
from litestar.params import ParameterKwarg
from litestar.types import ASGIApp, HTTPReceiveMessage, HTTPScope, Receive, Send
from litestar.utils import normalize_path
from litestar.utils.scope.state import ScopeState
from msgspec import UNSET

from officepro.access.guards import Guard
from officepro.access.once import fault_of_key
from officepro.foundation.answers import Encoded
from officepro.foundation.errors import Invalid
from officepro.foundation.input import (
    AnyRequest,
    header_of,
    parameter_faults,
    query_parameters,
    query_values,
    require_json,
)
from officepro.foundation.json_body import Faults, decode_small_body, prepare, read_body_in_slices
from officepro.foundation.time_slices import TimeSlices
from officepro.foundation.wire import decode_hook, encode

JSON_TYPE = b"application/json"

_LENGTH = re.compile(r"[0-9]{1,12}")


class AsksForMore(Exception):
    """The handler asks for something that is not provided here."""


def call_directly(app: Litestar) -> None:
    """Handlers of the API are called from here instead of by Litestar, where they ask for no more than is known."""
    nodes = [app.asgi_router.root_route_map_node]
    while nodes:
        node = nodes.pop()
        nodes += node.children.values()
        for method, (_, handler) in node.asgi_handlers.items():
            if isinstance(handler, HTTPRouteHandler) and node.path_template.startswith("/v1/") and method != "OPTIONS":
                with suppress(AsksForMore):
                    call = Call(handler, {parameter.name for parameter in node.path_parameters[method]})
                    node.asgi_handlers[method] = ASGIHandlerTuple(cast(ASGIApp, call), handler)
    app.asgi_handler = cast(ASGIApp, Straight(app))


class Straight:
    """Where requests come in: they go straight to a handler that is called from here, without Litestar's layers, which
    take as long as such a handler. All others go through them, and what is raised is answered by them."""

    def __init__(self, app: Litestar) -> None:
        self._app = app
        self._layers = app.asgi_handler
        self._find = app.asgi_router.handle_routing
        self._faults = ExceptionHandlerMiddleware(app.asgi_router, debug=None)

    async def __call__(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        try:
            found = self._find(normalize_path(scope["path"]), scope["method"])
        except Exception:  # it is raised there again
            found = None
        host = (header_of(scope, b"host") or "").encode("latin-1")
        if found is None or type(found[0]) is not Call or scope["root_path"] or not is_valid_host(host):
            await self._layers(scope, receive, send)
            return
        call, handler, scope["path"], scope["path_params"], scope["path_template"] = found
        scope["route_handler"] = handler
        try:
            await call(scope, receive, send)
        except Exception as fault:
            if "is_answered" in scope:  # it comes too late to be told
                raise
            ScopeState.from_scope(scope).exception_handlers = handler.resolve_exception_handlers()
            await self._faults.handle_request_exception(self._app, scope, receive, send, fault)


class Call:
    """All that is known of a handler before anybody calls it. Raises AsksForMore."""

    def __init__(self, handler: HTTPRouteHandler, path_parameters: Set[str]) -> None:
        self._handler = handler
        self._function: Callable[..., Any] = handler.fn
        self._admitting = [guard.admit for guard in handler.resolve_guards() if isinstance(guard, Guard)]
        self._status = handler.status_code
        if handler.has_sync_callable or len(self._admitting) < len(handler.resolve_guards()):
            raise AsksForMore
        self._provided = _provided(handler)
        self._body_shape = handler.parsed_data_field.annotation if handler.parsed_data_field else None
        if self._body_shape is not None:
            prepare(self._body_shape)
        self._query = query_parameters(handler)
        self._needs_request = self._body_shape is not None or any(
            "request" in asked for _, asked in self._provided.values()
        )
        self._most_bytes = handler.resolve_request_max_body_size() or inf
        self._headers: list[tuple[bytes, str]] = []  # the header, and its name among the parameters
        wire_names = {parameter.argument: parameter.name for parameter in self._query.values()}
        fields = []
        for argument, field in handler.parsed_fn_signature.parameters.items():
            if argument in self._provided or argument == "data":
                continue
            kwarg = field.kwarg_definition
            if isinstance(kwarg, ParameterKwarg) and kwarg.param_type == ParamType.HEADER:
                wire_names[argument] = f"{kwarg.name} header"
                self._headers.append(((kwarg.name or argument).lower().encode(), wire_names[argument]))
            elif argument not in path_parameters and argument not in wire_names:
                raise AsksForMore
            annotation = handler.signature_model.__annotations__[argument]
            fields.append((argument, annotation) if field.is_required else (argument, annotation, field.default))
        self._parameters = msgspec.defstruct("Parameters", fields, kw_only=True, rename=wire_names) if fields else None

    async def __call__(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        for admit in self._admitting:
            await admit(scope)
        request: AnyRequest | None = Request(scope, receive, send) if self._needs_request else None
        answer = await self._function(**await self._arguments(scope, request))
        if type(answer) is Encoded:
            await _send(scope, send, self._status, answer.body, {})
        elif isinstance(answer, msgspec.Struct):
            await _send(scope, send, self._status, encode(answer), {})
        elif type(answer) is Response and isinstance(answer.content, msgspec.Struct):
            await _send(scope, send, answer.status_code or self._status, encode(answer.content), answer.headers)
        else:  # a stream, or nothing
            request = request or Request(scope, receive, send)
            response = await self._handler.to_response(app=scope["litestar_app"], data=answer, request=request)
            scope["is_answered"] = True  # type: ignore[typeddict-unknown-key]
            await response(scope, receive, send)

    async def _arguments(self, scope: HTTPScope, request: AnyRequest | None) -> dict[str, Any]:
        """Raises Invalid with every fault of the request."""
        body = await self._body(request) if self._body_shape is not None and request is not None else None
        try:
            arguments = self._parameters_of(scope)
            if "once" in self._provided and (fault := fault_of_key(scope)):
                raise Invalid([fault])
        except Invalid:
            raise await self._every_fault(scope, body) from None
        if body is not None:
            require_json(scope)
            data = decode_small_body(body, self._body_shape)
            if data is UNSET:
                data = await read_body_in_slices(body, self._body_shape, _time_slices(scope))
            arguments["data"] = data
        known = {"scope": scope, "request": request}
        for name, (provider, asked) in self._provided.items():
            found = provider(known[asked[0]]) if len(asked) == 1 else provider(*(known[one] for one in asked))
            known[name] = arguments[name] = await found if type(found) is CoroutineType else found
        return arguments

    def _parameters_of(self, scope: HTTPScope) -> dict[str, Any]:
        """Raises Invalid; its faults are looked for by who answers."""
        given = query_values(scope["query_string"], self._query) if scope["query_string"] else {}
        if self._parameters is None:
            return {}
        given |= scope["path_params"]
        for header, name in self._headers:
            if (value := header_of(scope, header)) is not None:
                given[name] = value
        try:
            parameters = msgspec.convert(given, self._parameters, strict=False, dec_hook=decode_hook)
        except msgspec.ValidationError:
            raise Invalid([]) from None
        return msgspec.structs.asdict(parameters)

    async def _every_fault(self, scope: HTTPScope, body: bytes | None) -> Invalid:
        """Where parameters are invalid: their faults, and those of the body."""
        faults = Faults()
        faults.add(*parameter_faults(Request(scope), self._handler))
        if "once" in self._provided and (fault := fault_of_key(scope)):
            faults.add(fault)
        if body is not None:
            try:
                await read_body_in_slices(body, self._body_shape, _time_slices(scope))
            except Invalid as invalid:
                faults.add(*invalid.faults)
                faults.count += invalid.count - len(invalid.faults)
        return faults.refusal()

    async def _body(self, request: AnyRequest) -> bytes:
        """Where it comes in one piece, as nearly all do, without the stream that Litestar makes of it. Whoever else
        asks the request for its body is given the same."""
        length = header_of(request.scope, b"content-length") or ""
        if not _LENGTH.fullmatch(length) or int(length) > self._most_bytes:
            return await request.body()
        message = cast(HTTPReceiveMessage, await request.receive())
        if message["type"] != "http.request" or message["more_body"]:
            rest = _Rest(message, request.receive)
            return await Request(request.scope, rest.receive, request.send).body()
        request._connection_state.body = body = message["body"]
        return body


class _Rest:
    """A message that was received already, and those behind it."""

    def __init__(self, first: HTTPReceiveMessage, receive: Receive) -> None:
        self._first: HTTPReceiveMessage | None = first
        self._receive = receive

    async def receive(self) -> HTTPReceiveMessage:
        if (first := self._first) is not None:
            self._first = None
            return first
        return await self._receive()  # type: ignore[return-value]


Provider = tuple[Callable[..., Any], list[str]]  # and what it asks for: scope, request, or what another one provides


def _provided(handler: HTTPRouteHandler) -> dict[str, Provider]:
    """What it asks for by name and where that comes from, each after what it asks for itself. Raises AsksForMore."""
    provided: dict[str, Provider] = {}
    dependencies = handler.resolve_dependencies()

    def provide(argument: str) -> None:
        if argument == "request":
            provided[argument] = (lambda request: request, ["request"])
        elif argument in dependencies and argument not in provided:
            provider = dependencies[argument].dependency
            asked = list(signature(provider).parameters)
            for one in asked:
                if one not in ("scope", "request"):
                    if one not in dependencies:
                        raise AsksForMore
                    provide(one)
            provided[argument] = (provider, asked)

    for argument in handler.parsed_fn_signature.parameters:
        provide(argument)
    return provided


def _time_slices(scope: HTTPScope) -> TimeSlices:
    slices: TimeSlices = scope["litestar_app"].state.time_slices
    return slices


async def _send(scope: HTTPScope, send: Send, status: int, body: bytes, further: Mapping[str, str]) -> None:
    headers = [(b"content-type", JSON_TYPE), (b"content-length", b"%d" % len(body))]
    headers += [(name.lower().encode(), value.encode()) for name, value in further.items()]
    scope["is_answered"] = True  # type: ignore[typeddict-unknown-key]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
