"""Convention: the private words of the first version are used in no new place.

`plain_english_exceptions.txt` lists the files that still contain some of them, with the number of occurrences. The
numbers may only go down, and the list ends empty. docs/glossary.md has the domain terms to use.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXCEPTIONS = Path(__file__).with_name("plain_english_exceptions.txt")
FOLDERS = ("src", "tests", "benchmarks", "docs", "deploy", ".ci")
SUFFIXES = {".py", ".md", ".html", ".js", ".css", ".sh", ".sql", ".yaml", ".yml", ".toml", ".cfg", ".service", ""}

# Metaphors and turns of phrase instead of a standard word; a hyphen or underscore ends a word, as a blank does.
WORDS = re.compile(
    r"(?<![a-z])(walls?|the house|told|tells? of|on record|glanc(?:e|es|ed|ing)|whoever|wears?|of ours|furnish\w*|"
    r"wish(?:es|ed)?|patience|lanes?|doors?|gates?|stands|settled|asked together|at hand|elsewhere|had by|be so)"
    r"(?![a-z])"
)


def counted(text: str) -> int:
    """Occurrences of the words, in identifiers of either style too: `TheGate`, `told_of`."""
    separated = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text).lower().replace("_", " ")
    return len(WORDS.findall(separated))


def files() -> Iterator[Path]:
    yield from (path for path in sorted(ROOT.glob("*.md")))
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and path.suffix in SUFFIXES and path.parent != Path(__file__).parent / "__pycache__":
                yield path


def found() -> dict[str, int]:
    own = {Path(__file__), EXCEPTIONS}
    counts = {str(path.relative_to(ROOT)): counted(path.read_text()) for path in files() if path not in own}
    return {path: count for path, count in counts.items() if count}


def exceptions() -> dict[str, int]:
    lines = (line.rsplit(" ", 1) for line in EXCEPTIONS.read_text().splitlines())
    return {path: int(count) for path, count in lines}


def test_private_words_are_used_in_no_further_place() -> None:
    allowed, used = exceptions(), found()
    more = {path: (count, allowed.get(path, 0)) for path, count in used.items() if count > allowed.get(path, 0)}
    assert more == {}, "use the standard word (docs/glossary.md, CONTRIBUTING.md); counted and allowed"


def test_the_list_of_exceptions_only_shrinks() -> None:
    used = found()
    fewer = {path: used.get(path, 0) for path, count in exceptions().items() if used.get(path, 0) < count}
    assert fewer == {}, "lower these counts in plain_english_exceptions.txt"


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("The wall between practices", 1),
        ("class TheGate: ...", 1),
        ("told_of(patients)", 1),
        ("he foretold the swallow", 0),
        ("WISHED, whoever; elsewhere", 3),
        ("a delegate on an aggregate", 0),
    ],
)
def test_the_words_are_found_in_prose_and_in_names(text: str, count: int) -> None:
    assert counted(text) == count
