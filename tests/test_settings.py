"""The settings: read once, refused with every fault at once, and documented."""

import base64
from pathlib import Path

import pytest

from officepro.foundation.kept_secrets import FILE, keep_secret, kept_secrets
from officepro.settings import Settings, SettingsError, declarations, markdown_table

ROOT = Path(__file__).parent.parent
SECRET = "s" * 32
KEY = base64.urlsafe_b64encode(b"k" * 32).decode().rstrip("=")
WITH_A_DATABASE = {
    "OFFICEPRO_DATABASE_URL": "postgresql://api:pass-word@db/officepro",
    "OFFICEPRO_ADMIN_SECRET": SECRET,
    "OFFICEPRO_TOKEN_KEYS": f"new:{KEY},old:{KEY}",
    "OFFICEPRO_ENCRYPTION_KEYS": f"first:{KEY}",
}


def faults_of(**environ: str) -> list[str]:
    with pytest.raises(SettingsError) as refusal:
        Settings.from_environment(environ)
    return refusal.value.faults


def test_an_empty_environment_means_the_embedded_database_on_this_machine() -> None:
    settings = Settings.from_environment({"PATH": "/bin"})
    assert settings.is_embedded
    assert settings.base_url == "http://127.0.0.1:8000"
    assert settings.workers == 2
    assert settings.data_dir == Path(".officepro")


def test_an_empty_variable_counts_as_not_set() -> None:
    assert Settings.from_environment({"OFFICEPRO_PORT": " "}).port == 8000


def test_the_first_token_key_is_the_first_written() -> None:
    settings = Settings.from_environment(WITH_A_DATABASE)
    assert [key.kid for key in settings.token_keys] == ["new", "old"]
    assert settings.token_keys[0].secret == b"k" * 32


def test_every_fault_is_listed_at_once() -> None:
    faults = faults_of(
        OFFICEPRO_PORT="70000",
        OFFICEPRO_WORKERS="0",
        OFFICEPRO_LOG_LEVEL="loud",
        OFFICEPRO_TRUSTED_PROXIES="10.0.0.0/8, nowhere",
        OFFICEPRO_WORKRES="2",
        OFFICEPRO_PUBLIC_URL="api.example.com",
    )
    names = ("WORKRES", "PORT", "WORKERS", "PUBLIC_URL", "TRUSTED_PROXIES", "LOG_LEVEL")
    assert [fault.split()[0] for fault in faults] == [f"OFFICEPRO_{name}" for name in names]


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("OFFICEPRO_PORT", "-1"),
        ("OFFICEPRO_PORT", "８０"),
        ("OFFICEPRO_PORT", "8000.0"),
        ("OFFICEPRO_DATABASE_URL", "mysql://db"),
        ("OFFICEPRO_DATABASE_MODE", "sharded"),
        ("OFFICEPRO_ADMIN_SECRET", "short"),
        ("OFFICEPRO_TOKEN_KEYS", KEY),
        ("OFFICEPRO_TOKEN_KEYS", f"a:{KEY},a:{KEY}"),
        ("OFFICEPRO_TOKEN_KEYS", "a:c2hvcnQ"),
        ("OFFICEPRO_TOKEN_KEYS", "a:not/base64url!"),
        ("OFFICEPRO_WEBHOOK_ALLOWED_NETWORKS", "10.0.0.1/8"),
        ("OFFICEPRO_RATE_LIMIT_PER_MINUTE", "many"),
    ],
)
def test_a_wrong_value_is_refused_by_name(variable: str, text: str) -> None:
    assert variable in " ".join(faults_of(**{**WITH_A_DATABASE, variable: text}))


def test_with_a_database_of_ones_own_the_secrets_are_required() -> None:
    faults = faults_of(OFFICEPRO_DATABASE_URL="postgresql://db/officepro")
    assert [fault.split()[0] for fault in faults] == [
        "OFFICEPRO_ADMIN_SECRET",
        "OFFICEPRO_TOKEN_KEYS",
        "OFFICEPRO_ENCRYPTION_KEYS",
    ]


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "admin").write_text(SECRET + "\n")
    settings = Settings.from_environment({"OFFICEPRO_ADMIN_SECRET_FILE": str(tmp_path / "admin")})
    assert settings.admin_secret == SECRET
    assert settings.but(port="8001").admin_secret == SECRET


def test_a_file_is_refused_when_missing_or_beside_the_variable_or_for_what_is_no_secret(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    assert len(faults_of(OFFICEPRO_ADMIN_SECRET_FILE=missing)) == 1
    assert len(faults_of(OFFICEPRO_ADMIN_SECRET_FILE=missing, OFFICEPRO_ADMIN_SECRET=SECRET)) == 1
    assert len(faults_of(OFFICEPRO_PORT_FILE=missing)) == 1


def test_secrets_show_neither_in_a_repr_nor_in_a_fault() -> None:
    shown = repr(Settings.from_environment(WITH_A_DATABASE))
    shown += repr(Settings.from_environment(WITH_A_DATABASE).token_keys)
    shown += " ".join(faults_of(**WITH_A_DATABASE, OFFICEPRO_OWNER_DATABASE_URL="hidden-owner"))
    for secret in (SECRET, KEY, "pass-word", "hidden-owner", "k" * 32):
        assert secret not in shown


@pytest.mark.parametrize(
    ("host", "base_url"),
    [
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("::1", "http://[::1]:8000"),
        ("::", "http://[::1]:8000"),
    ],
)
def test_links_name_an_address_that_can_be_called(host: str, base_url: str) -> None:
    assert Settings.from_environment({"OFFICEPRO_HOST": host}).base_url == base_url


def test_kept_secrets_are_made_once_and_for_their_owner_alone(tmp_path: Path) -> None:
    first = kept_secrets(tmp_path)
    keep_secret(tmp_path, "demo_api_key", "demo")
    assert kept_secrets(tmp_path) == first | {"demo_api_key": "demo"}
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    settings = Settings.from_environment({}).but(**first)
    assert len(settings.token_keys[0].secret) == 32


def test_every_setting_has_a_default_that_parses_a_unit_and_a_meaning() -> None:
    for setting in declarations():
        setting.parse(setting.default)
        assert setting.unit
        assert setting.meaning


def test_the_readme_lists_every_setting() -> None:
    """`officepro settings --markdown` prints the table."""
    assert markdown_table() in (ROOT / "README.md").read_text()
