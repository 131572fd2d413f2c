"""Direct dispatch of API requests: parse the arguments, call the handler, encode its response.

Litestar routes requests, holds the handlers' declarations and handles their exceptions. Its own dispatch copies the
handler for each guard, runs every argument through a chain of extractors, every dependency through a model of its own,
and every response through two response objects: more work than most handlers do. The arguments of an API handler are a
closed set (parameters, a JSON body, and the application's dependencies), so all of this is prepared once, when the
application is assembled, and a request costs one conversion. (decision record 0018)

A handler that needs more than this set, such as a page of the portal, is dispatched by Litestar."""

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
    """The handler has an argument that direct dispatch does not support."""


def call_directly(app: Litestar) -> None:
    """Replace Litestar's dispatch by direct dispatch for every API handler that supports it."""
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
    """ASGI entry point: dispatches to a directly called handler without Litestar's middleware stack, which takes as
    long as such a handler. All other requests pass through that stack, and exceptions are handled by it."""

    def __init__(self, app: Litestar) -> None:
        self._app = app
        self._layers = app.asgi_handler
        self._find = app.asgi_router.handle_routing
        self._faults = ExceptionHandlerMiddleware(app.asgi_router, debug=None)

    async def __call__(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        try:
            found = self._find(normalize_path(scope["path"]), scope["method"])
        except Exception:  # Litestar raises it again
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
            if "is_answered" in scope:  # the response has been sent already
                raise
            ScopeState.from_scope(scope).exception_handlers = handler.resolve_exception_handlers()
            await self._faults.handle_request_exception(self._app, scope, receive, send, fault)


class Call:
    """A handler prepared for direct dispatch. Raises AsksForMore."""

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
        self._headers: list[tuple[bytes, str]] = []  # the header's name, and its field in `_parameters`
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
        else:  # a stream, or no content
            request = request or Request(scope, receive, send)
            response = await self._handler.to_response(app=scope["litestar_app"], data=answer, request=request)
            scope["is_answered"] = True  # type: ignore[typeddict-unknown-key]
            await response(scope, receive, send)

    async def _arguments(self, scope: HTTPScope, request: AnyRequest | None) -> dict[str, Any]:
        """Return the handler's arguments. Raises Invalid with all validation errors of the request."""
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
        """Return the arguments from path, query and headers. Raises Invalid without errors; `_every_fault` lists
        them."""
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
        """Return all validation errors of the parameters and the body, for a request whose parameters are invalid."""
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
        """Return the request body. A body in one message, as nearly all are, is read without Litestar's stream. It is
        also stored in the request, for other readers."""
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
    """A `receive` that returns a message which was received already, then those after it."""

    def __init__(self, first: HTTPReceiveMessage, receive: Receive) -> None:
        self._first: HTTPReceiveMessage | None = first
        self._receive = receive

    async def receive(self) -> HTTPReceiveMessage:
        if (first := self._first) is not None:
            self._first = None
            return first
        return await self._receive()  # type: ignore[return-value]


Provider = tuple[Callable[..., Any], list[str]]  # and its arguments: scope, request, or other dependencies


def _provided(handler: HTTPRouteHandler) -> dict[str, Provider]:
    """Return the providers of a handler's dependencies by name, each after its own dependencies. Raises AsksForMore."""
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
