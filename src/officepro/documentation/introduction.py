"""Texts of the document that belong to no handler. (Source API specification: Introduction, and the first line of each
section)"""

TITLE = "EMR API"

INTRODUCTION = """\
Welcome to the EMR API documentation. This API allows partners to integrate with our Electronic Medical Record system \
to manage prospects, tags, and view provider availability.

Base URL: `/v1/{PPass}`, where `{PPass}` is the practice you work with.

**Requests.** Bodies are JSON (UTF-8). Unknown fields and unknown query parameters are rejected. Dates are \
`YYYY-MM-DD`, times `HH:MM:SS` (`HH:MM` is accepted), both in the practice's time zone. Every response has \
`X-Request-Id`. An `X-Request-Id` that you send (1 to 128 printable ASCII characters) is returned as \
`X-Client-Request-Id`, and stored in the request log if it is a UUID, a ULID or 24 to 64 hexadecimal digits.

**Responses.** One record is `{"data": {…}}`; a list is `{"data": […], "count": n}`, with `page`, `limit` and `total` \
if it is paged; a write is `{"message": "… successfully", "data": {…}}`.

**Errors** are `application/problem+json` (RFC 9457): `detail` describes the error and what to do, `code` is stable, \
`requestId` is the id to quote to support, and `errors` lists all validation errors with their location. Any endpoint \
can return 500 with the code `internal_error` for a server error. After 429 or 503 wait for the seconds in \
`Retry-After`.\
"""

# Every section, in the order of the source API specification, with its first line.
TAGS: dict[str, str] = {
    "Authentication": (
        "Our API uses API Keys to generate temporary JWT Bearer tokens. Include the token in all subsequent requests: "
        "`Authorization: Bearer YOUR_TOKEN`"
    ),
    "Prospects": "Requires Prospects scope. Prospects and patients of the practice.",
    "Tags": "Requires Tags scope. The practice's tags, and their assignment to prospects.",
    "Providers": "Requires Providers scope.",
    "Visit Scheduling": "Requires Scheduling scope.",
    "Products (ProductPro)": "Requires ProductPro.Products scope. These endpoints are global (no {PPass} required).",
    "Knowledge Base": "Requires KB scope. These endpoints are global.",
    "Webhooks": "Register a webhook endpoint for OfficePro events sourced from the log table.",
    "Tickets": "Requires Tickets scope. These endpoints are tenant-specific.",
    "My Information": "Read and update your own partner information. Global endpoint.",
    "Administration": "Requires X-Admin-Secret. Configuration of practices, partners and keys, and their activity.",
    "Service": "Health of the service, and this document.",
}

SECURITY_SCHEMES: dict[str, dict[str, str]] = {
    "bearerAuth": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "The `accessToken` from `POST /v1/{PPass}/auth/token`; valid for 24 hours, for that practice.",
    },
    "adminSecret": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Admin-Secret",
        "description": "The admin secret of this installation.",
    },
}
