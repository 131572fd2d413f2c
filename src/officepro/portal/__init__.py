"""The portal: what a partner's engineer and an admin see in a browser. One module a page, drawn on the server."""
