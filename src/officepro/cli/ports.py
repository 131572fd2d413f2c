"""Check of the API's port before anything is started."""

import errno
import socket
import time

from officepro.cli.house import CommandError
from officepro.settings import Settings

RELEASE_SECONDS = 3.0  # a process that was killed may hold its port for a moment
POLL_SECONDS = 0.1


def with_a_free_port(settings: Settings) -> Settings:
    """Return the settings with the actual port number if the port is 0. Raises CommandError if the port cannot be used.

    Granian's workers bind with SO_REUSEPORT, so two servers would share a port without an error.
    """
    deadline = time.monotonic() + RELEASE_SECONDS
    while True:
        try:
            return settings.but(port=str(_bound_port(settings.host, settings.port)))
        except OSError as error:
            if error.errno == errno.EADDRINUSE and time.monotonic() < deadline:
                time.sleep(POLL_SECONDS)
                continue
            raise CommandError(_refusal(settings, error)) from error


def _refusal(settings: Settings, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {settings.port} is already in use: stop the process that uses it, or set OFFICEPRO_PORT to another "
            "port (0: any free port)."
        )
    return f"OFFICEPRO_HOST {settings.host} with OFFICEPRO_PORT {settings.port} cannot be used: {error.strerror}."


def _bound_port(host: str, port: int) -> int:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
        return int(probe.getsockname()[1])
