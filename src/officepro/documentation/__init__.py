"""The OpenAPI document, drawn from the route handlers themselves so that it cannot drift, and the error reference."""
