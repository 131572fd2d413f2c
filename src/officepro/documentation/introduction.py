"""The words of the document that no handler says. (seeds: Introduction, and the first line of each section)"""

TITLE = "EMR API"

INTRODUCTION = """\
Welcome to the EMR API documentation. This API allows partners to integrate with our Electronic Medical Record system \
to manage prospects, tags, and view provider availability.

Base URL: `/v1/{PPass}`, where `{PPass}` is the practice you work with.

**Requests.** Bodies are JSON (UTF-8). Unknown fields and unknown query parameters are refused by name. Dates are \
`YYYY-MM-DD`, times `HH:MM:SS` (`HH:MM` is accepted), both in the practice's own time zone. Every answer carries \
`X-Request-Id`; one that you send (1 to 128 printable ASCII characters) comes back as `X-Client-Request-Id`, and is \
stored in the request log if it is a UUID, a ULID or 24 to 64 hexadecimal digits.

**Answers.** One record is `{"data": {…}}`; a list is `{"data": […], "count": n}` and, where it is paged, also `page`, \
`limit` and `total`; a write is `{"message": "… successfully", "data": {…}}`.

**Errors** are `application/problem+json` (RFC 9457): `detail` says what to do, `code` is stable, `requestId` is what \
to quote to support, and for bad input `errors` names every fault with its place. A fault on our own side is a 500 \
with the code `internal_error`, on any address. After a 429 or a 503 wait as many seconds as `Retry-After` says.\
"""

# Every section, in the order of the seeds, with its first line.
TAGS: dict[str, str] = {
    "Authentication": (
        "Our API uses API Keys to generate temporary JWT Bearer tokens. Include the token in all subsequent requests: "
        "`Authorization: Bearer YOUR_TOKEN`"
    ),
    "Prospects": "Requires Prospects scope. People of the practice: its prospects and its patients.",
    "Tags": "Requires Tags scope. The practice's labels, and which prospects wear them.",
    "Providers": "Requires Providers scope.",
    "Visit Scheduling": "Requires Scheduling scope.",
    "Products (ProductPro)": "Requires ProductPro.Products scope. These endpoints are global (no {PPass} required).",
    "Knowledge Base": "Requires KB scope. These endpoints are global.",
    "Webhooks": "Register a webhook endpoint for OfficePro events sourced from the log table.",
    "Tickets": "Requires Tickets scope. These endpoints are tenant-specific.",
    "My Information": "Read and update your own partner information. Global endpoint.",
    "Administration": "Requires X-Admin-Secret. The set-up of practices, partners and keys, and what they do.",
    "Service": "How the service itself is doing, and this document.",
}

SECURITY_SCHEMES: dict[str, dict[str, str]] = {
    "bearerAuth": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "The `accessToken` from `POST /v1/{PPass}/auth/token`; it lasts 24 hours, for that practice.",
    },
    "adminSecret": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Admin-Secret",
        "description": "The admin secret of this installation.",
    },
}
