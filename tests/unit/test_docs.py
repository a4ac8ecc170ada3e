"""What README.md and docs/ say is so: links, names, columns, commands, and every query of docs/tables.md."""

import re
import runpy
import sys
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import documented
import duckdb
import pyarrow as pa
import pytest
from documented import HOME, PAGES, README, TABLES_PAGE

import dicomae.ledger
from dicomae import config, tables
from dicomae.codes import FileStatus, Reason
from dicomae.header_tables import column_map
from dicomae.ledger.conditions import Change

QUESTIONS = list(documented.ANSWERS)
COLUMNS = {table.name: table for table in tables.ALL}

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


# Queries


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tables that the page asks its questions about."""
    found = tmp_path_factory.mktemp("documented") / "the tables, ä"
    documented.write_tables(found)
    return found


@pytest.fixture(scope="module")
def names(root: Path) -> dict[str, Any]:
    """What the page's own Python defines, before its questions."""
    found: dict[str, Any] = {}
    for block in documented.blocks(TABLES_PAGE):
        if block.language == "python" and block.heading in ("DuckDB", "pandas"):
            documented.run(block.text.replace(documented.EXAMPLE_ROOT, str(root)), found)
    return found


def _asked(question: str, language: str) -> str:
    (text,) = (
        block.text
        for block in documented.blocks(TABLES_PAGE)
        if (block.heading, block.language) == (question, language)
    )
    return text


def test_each_question_has_a_known_answer() -> None:
    text = TABLES_PAGE.read_text(encoding="utf-8")
    assert documented.headings(text[text.index("## Questions") :])[1:] == QUESTIONS


@pytest.mark.parametrize("question", QUESTIONS)
def test_duckdb_gives_the_answer(question: str, names: dict[str, Any]) -> None:
    answer = names["db"].sql(_asked(question, "sql")).fetchall()
    assert documented.as_rows(answer) == documented.as_rows(documented.ANSWERS[question])


@pytest.mark.parametrize("question", QUESTIONS)
def test_pandas_gives_the_answer(question: str, names: dict[str, Any]) -> None:
    answer = documented.run(_asked(question, "python"), dict(names))
    rows = answer.itertuples(index=False, name=None)
    assert documented.as_rows(rows) == documented.as_rows(documented.ANSWERS[question])


def test_the_readme_shows_the_quarantine(root: Path) -> None:
    (text,) = (block.text for block in documented.blocks(README) if block.language == "python")
    names: dict[str, Any] = {}
    documented.run(text.replace(documented.EXAMPLE_ROOT, str(root)), names)
    expected = documented.ANSWERS["Which files could not be read, and why?"]
    assert documented.as_rows(names["bad"].fetchall()) == documented.as_rows(expected)


def test_the_folder_itself_holds_other_rows_than_the_table(root: Path, names: dict[str, Any]) -> None:
    # The page warns of it: 3 rows were replaced, and 4 never committed.
    (seen,) = duckdb.execute(f"SELECT count(*) FROM read_parquet('{root}/headers/*.parquet')").fetchall()
    (held,) = names["db"].sql("SELECT count(*) FROM headers").fetchall()
    assert (seen[0], held[0]) == (11, 4)


# Tables and their columns


def test_all_tables_are_described_and_no_other() -> None:
    text = TABLES_PAGE.read_text(encoding="utf-8")
    described = documented.first_column(text[: text.index("## `files`")])
    assert described == list(COLUMNS)
    assert set(documented.first_column(documented.sections(README)["Where the answers are"])) == set(COLUMNS)


@pytest.mark.parametrize("name", list(COLUMNS))
def test_columns_are_those_of_the_table_in_their_order(name: str) -> None:
    rows = documented.rows_of_table(documented.sections(TABLES_PAGE)[f"`{name}`"])
    table = COLUMNS[name]
    assert [(column, kind) for column, kind, _ in rows] == [(f.name, _kind(f.type)) for f in table.schema]


@pytest.mark.parametrize("name", list(COLUMNS))
def test_keys_are_those_of_the_table(name: str) -> None:
    (told,) = re.findall(r"Key: (.+?)\.(?:\s|$)", documented.sections(TABLES_PAGE)[f"`{name}`"])
    assert tuple(re.findall(r"`(\w+)`", told)) == COLUMNS[name].key


def _kind(kind: pa.DataType) -> str:
    """A type of Arrow in the page's words."""
    if pa.types.is_map(kind):
        return f"{_kind(kind.key_type)} → {_kind(kind.item_type)}"
    if pa.types.is_list(kind):
        return f"list of {_kind(kind.value_type)}s"
    if pa.types.is_timestamp(kind):
        return "time"
    plain = {"string": "text", "bool": "yes/no", "int": "integer", "float": "number", "double": "number"}
    return plain[re.sub(r"\d+$", "", str(kind))]


@pytest.mark.parametrize(("heading", "codes"), [("Statuses", FileStatus), ("Reasons", Reason)])
def test_codes_are_those_that_tables_hold(heading: str, codes: type[FileStatus] | type[Reason]) -> None:
    assert documented.first_column(documented.sections(TABLES_PAGE)[heading]) == [
        code.value for code in codes
    ]


# Links and names


@every_page
def test_links_lead_to_files_and_headings(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", documented.prose(page)):
        if "://" in target:
            continue
        place, _, anchor = target.partition("#")
        file = (page.parent / place).resolve() if place else page
        assert file.exists(), target
        assert file.is_relative_to(HOME), target
        if anchor:
            text = file.read_text(encoding="utf-8")
            assert anchor in {_anchor(heading) for heading in documented.headings(text)}, target


def _anchor(heading: str) -> str:
    """How GitHub names a heading in links."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_every_page_is_reached_from_the_readme() -> None:
    linked = set(re.findall(r"\]\(docs/([\w-]+\.md)\)", README.read_text(encoding="utf-8")))
    assert linked == {page.name for page in PAGES if page != README}


@every_page
def test_files_of_the_checkout_that_are_named_exist(page: Path) -> None:
    # Placeholders are in capitals or braces: `jobs/X.py`.
    text = page.read_text(encoding="utf-8")
    for name in re.findall(
        r"(?<![\w/])(?:\.venv/bin/python )?((?:jobs|scripts|conf|tests|libs)/[\w./-]*[\w-])", text
    ):
        if Path(name).stem != "X":
            assert (HOME / name).exists(), name


@every_page
def test_keys_of_the_configuration_that_are_named_exist(page: Path) -> None:
    sections = {f.name: f.type for f in fields(config.Config)}
    for section, key in re.findall(r"`(\w+)\.(\w+)(?: = [^`]*)?`", documented.prose(page)):
        if section in sections:
            assert key in {f.name for f in fields(sections[section])}, f"{section}.{key}"


def test_all_jobs_are_described() -> None:
    described = documented.first_column(documented.sections(README)["Jobs"])
    assert sorted([*described, "experiment"]) == sorted(path.stem for path in (HOME / "jobs").glob("*.py"))


def test_exit_codes_are_those_of_the_jobs(capsys: pytest.CaptureFixture[str]) -> None:
    operations = HOME / "docs" / "operations.md"
    described = documented.first_column(documented.sections(operations)["Exit codes"])
    told = _help(HOME / "jobs" / "ingest.py", capsys).rpartition("exit codes: ")[2]
    assert described == re.findall(r"(\d) ", told)


def test_all_configuration_files_are_described() -> None:
    operations = HOME / "docs" / "operations.md"
    described = documented.first_column(documented.sections(operations)["Configuration"])
    there = [*(HOME / "conf").glob("*.toml"), HOME / "conf" / "spark-defaults.conf"]
    assert sorted(described) == sorted(str(path.relative_to(HOME)) for path in there)


def test_rooms_and_floors_are_those_of_the_library() -> None:
    contract = tomllib.loads((HOME / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    layers = [layer.split(" | ") for layer in contract["contracts"][0]["layers"]]
    rows = documented.rows_of_table(documented.sections(HOME / "docs" / "architecture.md")["Rooms"])
    floors: dict[str, list[str]] = {}
    for floor, room, _ in rows:
        if room.startswith("planned"):
            continue
        floors.setdefault(floor, []).append(re.sub(r"\.py$|/$", "", room))
    described = list(floors.values())[1:]  # below the roof
    library = HOME / "libs" / "dicomae"
    there = {
        path.stem for path in library.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert described == layers
    assert {room for rooms in described for room in rooms} == there - {"__init__"}
    numbers = list(floors)[1:]
    assert numbers == [str(len(layers) - 1 - i) for i in range(len(layers))]


def test_words_of_the_ledger_are_those_at_its_door() -> None:
    described = documented.first_column(
        documented.sections(HOME / "docs" / "architecture.md")["Words of the ledger"]
    )
    at_the_door = set(re.findall(r"^([a-z ]+)$\n    ", dicomae.ledger.__doc__ or "", re.MULTILINE))
    assert set(described) <= at_the_door
    assert set(Change) <= set(described)


# What can be copied


@every_page
def test_configurations_can_be_loaded(page: Path, tmp_path: Path) -> None:
    for number, block in enumerate(documented.blocks(page)):
        if block.language == "toml":
            file = tmp_path / f"{number}.toml"
            file.write_text(block.text.replace("/opt/dicomae", str(HOME)), encoding="utf-8")
            if "extends" in block.text:
                config.load(file)
            else:
                column_map.load_column_map(file)


@every_page
def test_options_of_commands_exist(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for block in documented.blocks(page):
        if block.language == "sh":
            for command, options in _calls(block.text):
                told = _help(command, capsys).partition("options:")[2]
                assert options <= set(re.findall(r"--[a-z-]+", told)), command


def _calls(text: str) -> list[tuple[Path, set[str]]]:
    """Files of the commands of ours that a block of shell calls, each with its options."""
    calls = []
    for line in text.replace("\\\n", " ").splitlines():
        found = re.search(r"(jobs/\w+\.py|-m dicomae[\w.]*)(.*)", line)
        if found:
            calls.append((_file_of(found[1]), set(re.findall(r"(?<!\S)--[a-z-]+", found[2]))))
    return calls


def _file_of(command: str) -> Path:
    if not command.startswith("-m "):
        return HOME / command
    place = HOME / "libs" / command.removeprefix("-m ").replace(".", "/")
    return place / "__main__.py" if place.is_dir() else place.with_suffix(".py")


def _help(command: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What a command prints for `--help`."""
    arguments, path = sys.argv, list(sys.path)
    sys.argv = [str(command), "--help"]
    sys.path.insert(0, str(command.parent))
    try:
        with pytest.raises(SystemExit, match="0"):
            runpy.run_path(str(command), run_name="__main__")
    finally:
        sys.argv, sys.path[:] = arguments, path
    return capsys.readouterr().out


def test_the_readme_is_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 150
