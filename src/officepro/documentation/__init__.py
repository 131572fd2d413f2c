"""OpenAPI document and error reference, generated from the route handlers and error classes."""
