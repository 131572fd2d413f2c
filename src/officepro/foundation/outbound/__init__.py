"""The only HTTP client for requests to other servers: it POSTs to public addresses, and reads bounded responses.

    failures    errors by name
    addresses   which addresses are public
    urls        which URLs are accepted, and their normalized form
    names       from a host name to checked addresses
    client      the client itself

Three checks protect the internal network from URLs of partners (SSRF):

1. `check_url` accepts only plain https URLs, and refuses literals of forbidden addresses (without a DNS query).
2. `CheckedResolver` refuses a name if ANY of its addresses is forbidden; connections are opened to what it returns.
3. `OutboundClient._open_socket` checks each address once more when a connection to it is opened.

Connections are kept for 15 s, each to the address that was checked when it was opened: a name that is rebound
afterwards is checked again for its next connection. Redirects are not followed, proxies of the environment are ignored.
A site's own public addresses and its own NAT64 prefixes are in no list: block them by the site's firewall."""
