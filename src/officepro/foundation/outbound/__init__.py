"""The only HTTP client that leaves the house: it POSTs to public addresses, and takes little in return.

    failures    what can go wrong, each by its name
    addresses   which addresses are public
    urls        which URLs are taken, in the one spelling that is dialled
    names       from a name to checked addresses
    client      the client itself

Three walls stand between a partner's URL and the inside of the house:

1. `check_url` takes only plain https URLs, and refuses literals of forbidden addresses (for them no resolver is asked).
2. `CheckedResolver` refuses a name if ANY of its addresses is forbidden; what it returns is what is dialled.
3. `OutboundClient._open_socket` judges each address once more in the moment in which it is dialled.

Connections are kept for 15 s, each pinned to the address that was checked when it was dialled: a name that is rebound
afterwards is checked again at its next dial. Redirects are not followed, proxies of the environment are ignored.
What no list can know is a site's own public addresses and its own NAT64 prefixes: that is its firewall's business.
"""
