"""Every setting of officepro, declared once with its name, default, unit and meaning. No other module reads the
environment.

A field of Settings is a setting: `rate_limit_per_minute` is OFFICEPRO_RATE_LIMIT_PER_MINUTE. `officepro settings`
prints them, and the table in the README is generated from them. A secret may also be read from a file, named by the
same variable with the suffix _FILE, and never appears in a repr."""

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Literal, Self, TypeVar, cast, get_args
from urllib.parse import parse_qs, urlsplit

PREFIX = "OFFICEPRO_"
SECRET_MIN_BYTES = 32
MAPPED_PREFIX_BITS = 96  # of ::ffff:0:0/96, the IPv4-mapped IPv6 addresses (RFC 4291, 2.5.5.2)

DatabaseMode = Literal["single", "pooled", "distributed"]
LogLevel = Literal["debug", "info", "warning", "error"]
Network = IPv4Network | IPv6Network
Value = TypeVar("Value")


class SettingsError(Exception):
    """One or more settings are invalid."""

    def __init__(self, faults: list[str]) -> None:
        listed = f" {faults[0]}." if len(faults) == 1 else "".join(f"\n  {fault}" for fault in faults)
        super().__init__(f"The settings are invalid:{listed}")
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Key:
    """A named secret; its name (kid) identifies which of several keys was used."""

    kid: str
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Declaration:
    """Declaration of one setting."""

    variable: str
    default: str
    unit: str
    meaning: str
    parse: Callable[[str], object]
    secret: bool


def _text(text: str) -> str:
    return text


def _folder(text: str) -> Path:
    return Path(text).expanduser()


def _file(text: str) -> Path | None:
    return Path(text).expanduser() if text else None


def _number(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not least <= int(text) <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return int(text)

    return parse


def _database_mode(text: str) -> DatabaseMode:
    return cast(DatabaseMode, _one_of(text, get_args(DatabaseMode)))


def _log_level(text: str) -> LogLevel:
    return cast(LogLevel, _one_of(text.lower(), get_args(LogLevel)))


def _one_of(text: str, choices: tuple[str, ...]) -> str:
    if text not in choices:
        raise ValueError(f"must be one of {', '.join(choices)}")
    return text


_PORT = re.compile(r"[0-9]{1,5}|")
_SERVER = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]]*)(:[0-9]{1,5})?")
_HOW_TO_WRITE_A_URL = (
    "must have the form postgresql://login:password@host:port/database, with / ? # @ : % in the password written as "
    "%2F %3F %23 %40 %3A %25"
)


def _database_url(text: str) -> str:
    """Parse a PostgreSQL URL. The error quotes nothing of the text: what parses as a port may be a part of the
    password."""
    if text and not text.startswith(("postgresql://", "postgres://")):
        raise ValueError("must begin with postgresql://")
    try:
        parts = urlsplit(text)
        ports = [port for given in parse_qs(parts.query).get("port", []) for port in given.split(",")]
    except ValueError:
        raise ValueError(_HOW_TO_WRITE_A_URL) from None
    servers = parts.netloc.rpartition("@")[2].split(",")
    if not all(_SERVER.fullmatch(server) for server in servers) or not all(map(_PORT.fullmatch, ports)):
        raise ValueError(_HOW_TO_WRITE_A_URL)
    return text


def _public_url(text: str) -> str:
    address = urlsplit(text)
    if text and (address.scheme not in ("http", "https") or not address.hostname or address.query or address.fragment):
        raise ValueError("must be a URL such as https://api.example.com")
    return text.rstrip("/")


def _security_contact(text: str) -> str:
    """Parse a contact: a URI, as RFC 9116 requires; an e-mail address becomes one."""
    if not text or re.fullmatch(r"(https://[!-~]+|mailto:[!-~]+@[!-~]+|tel:[+0-9().-]+)", text):
        return text
    if re.fullmatch(r"[!-9;-~]+@[!-9;-~]+", text):  # without a colon
        return f"mailto:{text}"
    raise ValueError("must be an e-mail address, or begin with https://, mailto: or tel:")


def _anchor_url(text: str) -> str:
    address = urlsplit(text)
    if text and (address.scheme not in ("http", "https") or not address.hostname or address.fragment):
        raise ValueError("must be a URL such as https://evidence.example.com/anchors")
    return text


def _secret(text: str) -> str:
    if text and len(text.encode()) < SECRET_MIN_BYTES:
        raise ValueError(f"must have at least {SECRET_MIN_BYTES} bytes")
    return text


def _keys(text: str) -> tuple[Key, ...]:
    keys = tuple(_key(part) for part in _parts(text))
    if len({key.kid for key in keys}) < len(keys):
        raise ValueError("must have a different name for every key")
    return keys


def _key(text: str) -> Key:
    kid, _, secret_text = text.partition(":")
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,32}", kid):
        raise ValueError("must be a list of name:secret, names of up to 32 letters, digits, '.', '_', '-'")
    try:
        secret = base64.b64decode(secret_text + "=" * (-len(secret_text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"must have the secret of {kid} in base64url") from None
    if len(secret) < SECRET_MIN_BYTES:
        raise ValueError(f"must have at least {SECRET_MIN_BYTES} bytes in the secret of {kid}")
    return Key(kid, secret)


def _networks(text: str) -> tuple[Network, ...]:
    return tuple(_network(part) for part in _parts(text))


def _network(text: str) -> Network:
    """Parse a network. A network of IPv4-mapped IPv6 addresses becomes the IPv4 network, as addresses are compared
    without the mapping."""
    try:
        network = ip_network(text)
        if isinstance(network, IPv6Network) and network.prefixlen >= MAPPED_PREFIX_BITS:
            mapped = network.network_address.ipv4_mapped
            return network if mapped is None else IPv4Network((mapped, network.prefixlen - MAPPED_PREFIX_BITS))
        return network
    except ValueError:
        raise ValueError(f"must list networks such as 10.0.0.0/8 or ::1/128; {text!r} is not a network") from None


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _setting(default: str, unit: str, meaning: str, parse: Callable[[str], Value], *, secret: bool = False) -> Value:
    """Declare a setting. The default is text, as in the environment."""
    return cast(Value, field(metadata={"declared": (default, unit, meaning, parse, secret)}, repr=not secret))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of a process; see the module."""

    host: str = _setting("127.0.0.1", "address", "Address that the API listens on", _text)
    port: int = _setting("8000", "port", "Port that the API listens on; 0 selects a free one", _number(0, 65535))
    workers: int = _setting("2", "processes", "Number of API processes; use one per CPU core", _number(1, 256))
    public_url: str = _setting(
        "", "URL", "Public URL of this server, for links; if empty, http://host:port", _public_url
    )
    trusted_proxies: tuple[Network, ...] = _setting(
        "",
        "networks",
        "Proxies whose X-Forwarded-For and X-Forwarded-Proto headers are trusted, separated by commas",
        _networks,
    )
    security_contact: str = _setting(
        "",
        "e-mail or URL",
        "Contact for vulnerability reports, in /.well-known/security.txt; if empty, there is no such file",
        _security_contact,
    )
    data_dir: Path = _setting(
        ".officepro", "folder", "Data of the embedded PostgreSQL, and the generated secrets", _folder
    )
    database_url: str = _setting(
        "",
        "URL",
        "PostgreSQL 16 or newer, with a login that is neither superuser nor owner; if empty, the embedded PostgreSQL",
        _database_url,
        secret=True,
    )
    owner_database_url: str = _setting(
        "",
        "URL",
        "The same database with the login that owns the schema, for `officepro migrate` and `officepro distribute`",
        _database_url,
        secret=True,
    )
    database_mode: DatabaseMode = _setting(
        "single",
        "single, pooled, distributed",
        "pooled: behind a transaction pooler; distributed: on Citus",
        _database_mode,
    )
    database_pool_size: int = _setting(
        "10", "connections", "Maximum number of connections to PostgreSQL, per process", _number(1, 1000)
    )
    admin_secret: str = _setting(
        "",
        "≥ 32 bytes",
        "Admin API credential; generated in the data folder for the embedded PostgreSQL, required otherwise",
        _secret,
        secret=True,
    )
    admin_secret_previous: str = _setting(
        "",
        "≥ 32 bytes",
        "The admin secret before a rotation, accepted in addition to the current one until you remove it here",
        _secret,
        secret=True,
    )
    token_keys: tuple[Key, ...] = _setting(
        "",
        "name:base64url, …",
        "Keys for access tokens, ≥ 32 bytes: the first signs, all verify; generated or required like the admin secret",
        _keys,
        secret=True,
    )
    encryption_keys: tuple[Key, ...] = _setting(
        "",
        "name:base64url, …",
        "Keys for webhook secrets at rest, ≥ 32 bytes: the first encrypts, all decrypt; generated or required likewise",
        _keys,
        secret=True,
    )
    rate_limit_per_minute: int = _setting(
        "6000", "requests", "Requests per minute for each key and practice; 0 means no limit", _number(0, 10_000_000)
    )
    patient_budget_per_day: int = _setting(
        "0",
        "patients",
        "Patients in responses to each key per day (0:00 to 24:00 UTC); 0 means no limit; a key can override it",
        _number(0, 10_000_000),
    )
    webhook_allowed_networks: tuple[Network, ...] = _setting(
        "", "networks", "Non-public networks that webhooks may be sent to", _networks
    )
    anchor_file: Path | None = _setting(
        "",
        "file",
        "File to which a worker appends the daily anchors of the disclosure log; best on another machine",
        _file,
    )
    anchor_url: str = _setting(
        "",
        "URL",
        "URL to which a worker posts the anchors, under the rules for webhook URLs; if empty, they are not posted",
        _anchor_url,
    )
    delivery_retention_days: int = _setting("90", "days", "Retention of finished deliveries", _number(30, 3650))
    request_log_retention_days: int = _setting("90", "days", "Retention of the request log", _number(30, 3650))
    log_level: LogLevel = _setting("info", "debug, info, warning, error", "Minimum log level", _log_level)
    unready_seconds: int = _setting(
        "3",
        "seconds",
        "Grace period after SIGTERM during which /readyz fails but requests are still served",
        _number(0, 600),
    )
    drain_seconds: int = _setting(
        "10", "seconds", "Time for requests and deliveries in flight to finish when a process stops", _number(0, 600)
    )
    given: Mapping[str, str] = field(repr=False, compare=False)  # as text; secrets are read from their files

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """Parse the environment. An empty variable counts as not set. Raises SettingsError, which lists every error."""
        faults = list(_unknown_variables(environ))
        given = _given(environ, faults)
        values = {name: _parsed(setting, given, faults) for name, setting in _declared(cls)}
        faults.extend(_missing_secrets(given, environ))
        if faults:
            raise SettingsError(faults)
        return cls(given=given, **values)  # type: ignore[arg-type]  # each value comes from its own field's parser

    def but(self, **texts: str) -> Self:
        """Return these settings with some replaced, as text: `settings.but(port="8001")`."""
        return self.from_environment({**self.given, **{PREFIX + name.upper(): text for name, text in texts.items()}})

    @property
    def public(self) -> dict[str, str]:
        """Settings that are given and not secret, by variable, as text."""
        secret = {setting.variable for setting in declarations() if setting.secret}
        return {variable: text for variable, text in self.given.items() if variable not in secret}

    @property
    def admin_secrets(self) -> tuple[str, ...]:
        """The admin secrets that are accepted: the current one, and during a rotation the previous one."""
        return tuple(secret for secret in (self.admin_secret, self.admin_secret_previous) if secret)

    @property
    def is_embedded(self) -> bool:
        """Whether the embedded PostgreSQL is used."""
        return not self.database_url

    @property
    def local_host(self) -> str:
        """The host by which this machine itself reaches the API; a wildcard address can be listened on, but not
        called."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104

    @property
    def base_url(self) -> str:
        """The public URL, or the local one if that is not set."""
        host = f"[{self.local_host}]" if ":" in self.local_host else self.local_host
        return self.public_url or f"http://{host}:{self.port}"


def declarations() -> list[Declaration]:
    """Return the declarations of all settings."""
    return [setting for _, setting in _declared(Settings)]


def markdown_table() -> str:
    """Return the table of the README."""
    rows = [
        f"| `{s.variable}` | {f'`{s.default}`' if s.default else ''} | {s.unit} | {s.meaning} |" for s in declarations()
    ]
    return "\n".join(["| setting | default | unit | meaning |", "|---|---|---|---|", *rows])


def _declared(settings: type[Settings]) -> Iterator[tuple[str, Declaration]]:
    for each in fields(settings):
        if "declared" in each.metadata:
            yield each.name, Declaration(PREFIX + each.name.upper(), *each.metadata["declared"])


def _unknown_variables(environ: Mapping[str, str]) -> Iterator[str]:
    known = {setting.variable for setting in declarations()}
    known |= {f"{setting.variable}_FILE" for setting in declarations() if setting.secret}
    for variable in sorted(environ):
        if variable.startswith(PREFIX) and variable not in known:
            yield f"{variable} is not a setting; run `officepro settings` for a list"


def _given(environ: Mapping[str, str], faults: list[str]) -> dict[str, str]:
    """Return the text of each setting that is given in its variable or in the file that _FILE names."""
    given = {}
    for setting in declarations():
        text = environ.get(setting.variable, "").strip()
        path = environ.get(f"{setting.variable}_FILE", "").strip() if setting.secret else ""
        if text and path:
            faults.append(f"{setting.variable} and {setting.variable}_FILE are both set: remove one of them")
        elif path:
            try:
                text = _text_of_file(path)
            except ValueError as error:
                faults.append(f"{setting.variable}_FILE names {path}, which {error}")
        if text:
            given[setting.variable] = text
    return given


def _text_of_file(path: str) -> str:
    """Return the text of a file. Raises ValueError, also for an empty file, which would count as a setting that is not
    set."""
    try:
        text = Path(path).expanduser().read_text().strip()
    except UnicodeDecodeError:
        raise ValueError("is not text in UTF-8") from None
    except (OSError, RuntimeError) as error:
        raise ValueError(f"cannot be read: {getattr(error, 'strerror', error)}") from None
    if not text:
        raise ValueError("is empty")
    return text


def _parsed(setting: Declaration, given: Mapping[str, str], faults: list[str]) -> object:
    try:
        return setting.parse(given.get(setting.variable, setting.default))
    except ValueError as error:
        found = "" if setting.secret else f", and is {given[setting.variable]!r}"
        faults.append(f"{setting.variable} {error}{found}")
        return None


def _missing_secrets(given: Mapping[str, str], environ: Mapping[str, str]) -> Iterator[str]:
    """Return an error for each required secret that is not given. A file that cannot be read is an error of its own."""
    if "OFFICEPRO_DATABASE_URL" in given:
        for variable in ("OFFICEPRO_ADMIN_SECRET", "OFFICEPRO_TOKEN_KEYS", "OFFICEPRO_ENCRYPTION_KEYS"):
            if variable not in given and not environ.get(f"{variable}_FILE", "").strip():
                yield f"{variable} is required together with OFFICEPRO_DATABASE_URL"
