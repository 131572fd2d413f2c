"""`officepro routes`: all routes with handler and permission."""

import typer

from officepro.app import create_inner_app
from officepro.documentation.document import route_table
from officepro.settings import Settings


def routes() -> None:
    """List every route: method, path, handler, permission. Needs no database."""
    # The application is assembled and never started; these are the required settings.
    app = create_inner_app(Settings.from_environment({"OFFICEPRO_DATA_DIR": "nowhere", "OFFICEPRO_PORT": "0"}))
    rows = list(route_table(app))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        typer.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
