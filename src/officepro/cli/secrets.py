"""`officepro secrets`: secrets that are stored encrypted."""

import typer

from officepro.cli.house import CommandError
from officepro.cli.terminal import AsJson, in_database_with_settings, show_json
from officepro.foundation.database import Database
from officepro.settings import Settings
from officepro.webhooks.reencryption import Reencrypted
from officepro.webhooks.reencryption import reencrypt as reencrypt_all
from officepro.webhooks.sealing import Sealer

MOST_LISTED = 20

secrets = typer.Typer(help="Encrypted secrets: re-encrypt them with a new key.", no_args_is_help=True)


@secrets.command("reencrypt")
def reencrypt(as_json: AsJson = False) -> None:
    """Re-encrypt all webhook secrets with the first of OFFICEPRO_ENCRYPTION_KEYS. Safe to repeat.

    Fails if a secret cannot be decrypted; then do not remove any key from the settings yet.
    """

    async def work(database: Database, settings: Settings) -> tuple[str, Reencrypted]:
        return settings.encryption_keys[0].kid, await reencrypt_all(database, Sealer(settings.encryption_keys))

    kid, counts = in_database_with_settings(work)
    if as_json:
        show_json(counts)
    else:
        typer.echo(
            f"Webhook secrets: {counts.reencrypted} re-encrypted with key {kid}, "
            f"{counts.already_current} were already, {counts.failed} cannot be decrypted."
        )
    if ids := counts.failed_subscription_ids:
        listed = ", ".join(map(str, ids[:MOST_LISTED])) + (" and others" if len(ids) > MOST_LISTED else "")
        raise CommandError(
            f"The keys of {counts.failed} secrets are not in OFFICEPRO_ENCRYPTION_KEYS (subscriptions {listed}). "
            "Add those keys and repeat, or have the partners rotate their webhook secrets."
        )
