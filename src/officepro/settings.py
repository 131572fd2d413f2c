"""Every setting of officepro: its name, default, unit and meaning stand here once, and nobody else reads the
environment.

A field of Settings is a setting: `rate_limit_per_minute` is OFFICEPRO_RATE_LIMIT_PER_MINUTE. `officepro settings`
prints them, and the table in the README is the same one. What is secret may also come from a file, named by the same
variable with _FILE behind it, and never shows in a repr.
"""

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
    """One or more settings are wrong."""

    def __init__(self, faults: list[str]) -> None:
        listed = f" {faults[0]}." if len(faults) == 1 else "".join(f"\n  {fault}" for fault in faults)
        super().__init__(f"The settings are wrong:{listed}")
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Key:
    """A secret with the name (kid) that tells which of several was used."""

    kid: str
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Declaration:
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
    """The error quotes nothing of the text: what is taken for a port may be a part of the password."""
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
        raise ValueError("must be an address such as https://api.example.com")
    return text.rstrip("/")


def _security_contact(text: str) -> str:
    """As RFC 9116 has it: a URI."""
    if not text or re.fullmatch(r"(https://[!-~]+|mailto:[!-~]+@[!-~]+|tel:[+0-9().-]+)", text):
        return text
    if re.fullmatch(r"[!-9;-~]+@[!-9;-~]+", text):  # without a colon
        return f"mailto:{text}"
    raise ValueError("must be an e-mail address, or begin with https://, mailto: or tel:")


def _anchor_url(text: str) -> str:
    address = urlsplit(text)
    if text and (address.scheme not in ("http", "https") or not address.hostname or address.fragment):
        raise ValueError("must be an address such as https://evidence.example.com/anchors")
    return text


def _secret(text: str) -> str:
    if text and len(text.encode()) < SECRET_MIN_BYTES:
        raise ValueError(f"must have at least {SECRET_MIN_BYTES} bytes")
    return text


def _keys(text: str) -> tuple[Key, ...]:
    keys = tuple(_key(part) for part in _parts(text))
    if len({key.kid for key in keys}) < len(keys):
        raise ValueError("must name every key differently")
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
    """A network of IPv4-mapped IPv6 addresses is the IPv4 network, as addresses are compared without the mapping."""
    try:
        network = ip_network(text)
        if isinstance(network, IPv6Network) and network.prefixlen >= MAPPED_PREFIX_BITS:
            mapped = network.network_address.ipv4_mapped
            return network if mapped is None else IPv4Network((mapped, network.prefixlen - MAPPED_PREFIX_BITS))
        return network
    except ValueError:
        raise ValueError(f"must list networks such as 10.0.0.0/8 or ::1/128, and {text!r} is none") from None


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _setting(default: str, unit: str, meaning: str, parse: Callable[[str], Value], *, secret: bool = False) -> Value:
    """The default is written as it would stand in the environment."""
    return cast(Value, field(metadata={"declared": (default, unit, meaning, parse, secret)}, repr=not secret))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    host: str = _setting("127.0.0.1", "address", "The address that the API listens on", _text)
    port: int = _setting("8000", "port", "The port that the API listens on; 0 is any free one", _number(0, 65535))
    workers: int = _setting("2", "processes", "Processes that answer requests; one for each core", _number(1, 256))
    public_url: str = _setting(
        "", "URL", "Where others reach this server, for links; empty is http://host:port", _public_url
    )
    trusted_proxies: tuple[Network, ...] = _setting(
        "",
        "networks",
        "The proxies whose X-Forwarded-For and X-Forwarded-Proto are believed, separated by commas",
        _networks,
    )
    security_contact: str = _setting(
        "",
        "e-mail or URL",
        "Who takes reports of security faults of this server, in /.well-known/security.txt; empty is no such file",
        _security_contact,
    )
    data_dir: Path = _setting(
        ".officepro", "folder", "Where the embedded PostgreSQL and the secrets made for it are kept", _folder
    )
    database_url: str = _setting(
        "",
        "URL",
        "PostgreSQL 16 or newer, by a login that is neither superuser nor owner; empty is the embedded one",
        _database_url,
        secret=True,
    )
    owner_database_url: str = _setting(
        "",
        "URL",
        "The same database by the login that owns the schema; for `officepro migrate` and `officepro distribute`",
        _database_url,
        secret=True,
    )
    database_mode: DatabaseMode = _setting(
        "single",
        "single, pooled, distributed",
        "pooled behind a transaction pooler, distributed on Citus",
        _database_mode,
    )
    database_pool_size: int = _setting(
        "10", "connections", "Connections to PostgreSQL, for each process", _number(1, 1000)
    )
    admin_secret: str = _setting(
        "",
        "≥ 32 bytes",
        "Opens the admin API; made and kept in the data folder for the embedded PostgreSQL, required otherwise",
        _secret,
        secret=True,
    )
    admin_secret_previous: str = _setting(
        "",
        "≥ 32 bytes",
        "The admin secret before a rotation, accepted beside the current one until you remove it here",
        _secret,
        secret=True,
    )
    token_keys: tuple[Key, ...] = _setting(
        "",
        "name:base64url, …",
        "Sign access tokens, each ≥ 32 bytes: the first signs, all verify; made or required like the admin secret",
        _keys,
        secret=True,
    )
    encryption_keys: tuple[Key, ...] = _setting(
        "",
        "name:base64url, …",
        "Encrypt webhook secrets at rest, each ≥ 32 bytes: the first encrypts, all decrypt; made or required likewise",
        _keys,
        secret=True,
    )
    rate_limit_per_minute: int = _setting(
        "6000", "requests", "Requests a minute for each key and practice; 0 is no limit", _number(0, 10_000_000)
    )
    patient_budget_per_day: int = _setting(
        "0",
        "patients",
        "Patients in responses to each key a day (0:00 to 24:00 UTC); 0 is no limit; a key can have its own",
        _number(0, 10_000_000),
    )
    webhook_allowed_networks: tuple[Network, ...] = _setting(
        "", "networks", "Networks that are not public, and that webhooks may be sent to all the same", _networks
    )
    anchor_file: Path | None = _setting(
        "", "file", "Where a worker appends the daily anchors of the disclosure log; best on another machine", _file
    )
    anchor_url: str = _setting(
        "", "URL", "Where a worker posts them to, by the rules of webhooks; empty is nowhere", _anchor_url
    )
    delivery_retention_days: int = _setting("90", "days", "How long finished deliveries are kept", _number(30, 3650))
    request_log_retention_days: int = _setting("90", "days", "How long the log of requests is kept", _number(30, 3650))
    log_level: LogLevel = _setting("info", "debug, info, warning, error", "The least that is logged", _log_level)
    unready_seconds: int = _setting(
        "3",
        "seconds",
        "How long `serve` answers on when it is told to stop, while /readyz sends new callers elsewhere",
        _number(0, 600),
    )
    drain_seconds: int = _setting(
        "10", "seconds", "How long requests and deliveries in flight may take to end at a stop", _number(0, 600)
    )
    given: Mapping[str, str] = field(repr=False, compare=False)  # as text, secrets read from their files

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """Raises SettingsError, which lists every fault. An empty variable counts as not set."""
        faults = list(_unknown_variables(environ))
        given = _given(environ, faults)
        values = {name: _parsed(setting, given, faults) for name, setting in _declared(cls)}
        faults.extend(_missing_secrets(given, environ))
        if faults:
            raise SettingsError(faults)
        return cls(given=given, **values)  # type: ignore[arg-type]  # each value comes from its own field's parser

    def but(self, **texts: str) -> Self:
        """These settings with some others, as text: `settings.but(port="8001")`."""
        return self.from_environment({**self.given, **{PREFIX + name.upper(): text for name, text in texts.items()}})

    @property
    def public(self) -> dict[str, str]:
        """What is set and no secret, by variable, as text."""
        secret = {setting.variable for setting in declarations() if setting.secret}
        return {variable: text for variable, text in self.given.items() if variable not in secret}

    @property
    def admin_secrets(self) -> tuple[str, ...]:
        """Those that are accepted now: the current one, and during a rotation the previous one."""
        return tuple(secret for secret in (self.admin_secret, self.admin_secret_previous) if secret)

    @property
    def is_embedded(self) -> bool:
        return not self.database_url

    @property
    def local_host(self) -> str:
        """Where this machine reaches it itself; "any address" can be listened on, but not called."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104

    @property
    def base_url(self) -> str:
        host = f"[{self.local_host}]" if ":" in self.local_host else self.local_host
        return self.public_url or f"http://{host}:{self.port}"


def declarations() -> list[Declaration]:
    return [setting for _, setting in _declared(Settings)]


def markdown_table() -> str:
    """The table of the README."""
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
            yield f"{variable} is not a setting; `officepro settings` lists them"


def _given(environ: Mapping[str, str], faults: list[str]) -> dict[str, str]:
    """The text of each setting that is given, whether in its variable or in the file that _FILE names."""
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
    """Raises ValueError, also for an empty file: it would count as a setting that is not set."""
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
    """Those that are given nowhere; a file that cannot be read is a fault of its own."""
    if "OFFICEPRO_DATABASE_URL" in given:
        for variable in ("OFFICEPRO_ADMIN_SECRET", "OFFICEPRO_TOKEN_KEYS", "OFFICEPRO_ENCRYPTION_KEYS"):
            if variable not in given and not environ.get(f"{variable}_FILE", "").strip():
                yield f"{variable} is required together with OFFICEPRO_DATABASE_URL"
