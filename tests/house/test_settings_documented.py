"""Every setting stands in the README, in the words of settings.py."""

import dataclasses
from pathlib import Path

from officepro.settings import Settings, declarations, markdown_table

README = Path(__file__).parents[2] / "README.md"


def test_the_table_of_the_readme_is_the_one_that_the_settings_make() -> None:
    assert markdown_table() in README.read_text(), (
        "put the output of officepro.settings.markdown_table() into README.md"
    )


def test_every_field_of_the_settings_is_declared_with_unit_and_meaning() -> None:
    fields = {field.name for field in dataclasses.fields(Settings)} - {"given"}
    assert {one.variable for one in declarations()} == {f"OFFICEPRO_{name.upper()}" for name in fields}
    for one in declarations():
        assert one.unit, one.variable
        assert one.meaning, one.variable


def test_nobody_else_reads_the_environment() -> None:
    """settings.py is handed the environment by those that start a process, and nothing reads it beside."""
    source = Path(__file__).parents[2] / "src" / "officepro"
    starters = {"app.py", "settings.py"}
    readers = {
        path.relative_to(source).as_posix()
        for path in source.rglob("*.py")
        if "os.environ" in path.read_text() or "os.getenv" in path.read_text()
    }
    assert {reader for reader in readers if not reader.startswith("cli/")} <= {*starters, "foundation/embedded.py"}
