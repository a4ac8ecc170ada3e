"""The project's pages as tests see them, and small tables about which docs/tables.md asks its questions."""

import ast
import math
import re
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from dicomae import tables
from dicomae.lake import delta
from dicomae.lake.parts import PART, PartWriter
from dicomae.tables import Table

HOME = Path(__file__).resolve().parents[1]
README = HOME / "README.md"
PAGES = (README, *sorted((HOME / "docs").glob("*.md")))
TABLES_PAGE = HOME / "docs" / "tables.md"
EXAMPLE_ROOT = "/data/dicomae"  # of tables, in the pages

_FENCE = re.compile(r"^```(?P<language>[^\n]*)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


class Block(NamedTuple):
    """A fenced block, and the heading that it stands below."""

    heading: str
    language: str
    text: str


def blocks(page: Path) -> list[Block]:
    """All fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(headings(text[: found.start()])[-1], found["language"], found["text"])
        for found in _FENCE.finditer(text)
    ]


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def headings(text: str) -> list[str]:
    """Headings of a page; a comment in a fenced block is none."""
    return _HEADING.findall(_FENCE.sub("", text))


def sections(page: Path) -> dict[str, str]:
    """Text below each heading, up to the next one."""
    pieces = _HEADING.split(prose(page))
    return dict(zip(pieces[1::2], pieces[2::2], strict=True))


def first_column(section: str) -> list[str]:
    """What stands between backquotes in the first column of the section's tables, in order."""
    return [name for (name, *_) in rows_of_table(section)]


def rows_of_table(section: str) -> list[list[str]]:
    """Cells of the rows of the section's tables, without backquotes and links; heads are left out."""
    lines = re.findall(r"^\|(.+)\|$", section, re.MULTILINE)
    rows = [[_plain(cell) for cell in line.split("|")] for line in lines]
    heads = {i - 1 for i, row in enumerate(rows) if set(row[0]) == {"-"}}
    return [row for i, row in enumerate(rows) if i not in heads and set(row[0]) != {"-"}]


def _plain(cell: str) -> str:
    return re.sub(r"\[(.*?)\]\(.*?\)", r"\1", cell).replace("`", "").strip()


def run(text: str, names: dict[str, Any]) -> Any:
    """Run Python text; the value of its last line, where that is an expression."""
    module = ast.parse(text)
    last = module.body.pop() if isinstance(module.body[-1], ast.Expr) else None
    exec(compile(module, "<page>", "exec"), names)
    return eval(compile(ast.Expression(last.value), "<page>", "eval"), names) if last is not None else None


def as_rows(rows: Any) -> list[tuple[Any, ...]]:
    """Rows of an answer in an order that does not depend on the engine; floats to six digits, NaN is null."""
    return sorted((tuple(map(_comparable, row)) for row in rows), key=repr)


def _comparable(value: Any) -> Any:
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, 6)
    return value.item() if hasattr(value, "item") else value


# What the questions of docs/tables.md are answered from, worked out by hand below.

_FILES = [
    {"path": "/pacs/1.dcm", "status": "parsed", "SOPInstanceUID": "1.1", "content_hash": "a"},
    {
        "path": "/pacs/2.dcm",
        "status": "parsed",
        "SOPInstanceUID": "1.2",
        "content_hash": "b",
        "vanished": True,
    },
    {"path": "/pacs/b.zip", "status": "container"},
    {"path": "/pacs/b.zip!3.dcm", "container": "/pacs/b.zip", "status": "parsed", "SOPInstanceUID": "1.3"},
    {"path": "/pacs/copy.dcm", "status": "duplicate", "original_path": "/pacs/1.dcm"},
    {"path": "/pacs/edited.dcm", "status": "duplicate_uid_conflict", "original_path": "/pacs/2.dcm"},
    {
        "path": "/pacs/cut.dcm",
        "status": "quarantined",
        "reason": "truncated",
        "detail": "ends inside the header",
    },
    {
        "path": "/pacs/locked.dcm",
        "status": "quarantined",
        "reason": "permission",
        "detail": "PermissionError EACCES",
    },
]
_HEADERS = [
    {
        "SOPInstanceUID": uid,
        "Modality": modality,
        "PatientID": patient,
        "SeriesInstanceUID": series,
        "body_part": part,
        "body_part_source": source,
        "path": path,
        "elements": list(elements.items()),
    }
    for uid, modality, patient, series, part, source, path, elements in (
        ("1.1", "CT", "P1", "S1", "CHEST", "declared", "/pacs/1.dcm", {"SliceThickness": "5.0"}),
        (
            "1.2",
            "CT",
            "P1",
            "S1",
            "CHEST",
            "declared",
            "/pacs/2.dcm",
            {"SliceThickness": "1.25", "Rows": "2"},
        ),
        ("1.3", "MR", "P2", "S2", None, "unknown", "/pacs/b.zip!3.dcm", {"SliceThickness": None}),
        ("1.4", "MR", "P3", "S3", "HEAD", "filled-from-ProtocolName", "/pacs/4.dcm", {}),
    )
]
_TAG_STATISTICS = [
    {"scope": "archive", "key": "KVP"},
    {"scope": "sample", "key": "KVP", "decision": "numeric", "why": "VR DS"},
    {
        "scope": "sample",
        "key": "StudyID",
        "decision": "dropped",
        "step": "informative",
        "why": "names an order",
    },
]
_MODELS = [
    {"feature_set": "all", "model_id": "m1"},
    {"feature_set": "without_labels", "model_id": "m2"},
]
_EMBEDDINGS = [
    {"SOPInstanceUID": uid, "model_id": model, "embedding": [0.0], "reconstruction_error": error}
    for uid, model, error in (
        ("1.1", "m1", 0.25),
        ("1.2", "m1", 0.5),
        ("1.3", "m1", 0.125),
        ("1.1", "m2", 9.0),
    )
]
_ASSIGNMENTS = [
    {"SOPInstanceUID": uid, "model_id": model, "space": space, "cluster": [(4, 3), (15, cluster)]}
    for uid, model, space, cluster in (
        ("1.1", "m1", "compressed", 7),
        ("1.2", "m1", "compressed", 7),
        ("1.3", "m1", "compressed", 0),
        ("1.1", "m1", "original", 1),
        ("1.1", "m2", "compressed", 2),
    )
]
_METRICS = [
    {"job": "evaluate", "name": name, "labels": sorted({"score": score, **labels}.items()), "value": value}
    for name, score, labels, value in (
        ("p_value", "homogeneity", {"way": "paper", "label": "Modality", "test": "mann_whitney_u"}, 0.157),
        ("p_value", "homogeneity", {"way": "without_labels", "label": "Modality", "test": "paired_t"}, 0.5),
        ("wilcoxon_p", "homogeneity", {"way": "paper", "label": "Modality"}, 0.75),
    )
]
_RUNS = [
    {"run_id": "r1", "job": "ingest", "finished": 1_700_000_000_000_000},
    {"run_id": "r2", "job": "embed", "finished": None},
]

ANSWERS: dict[str, list[tuple[Any, ...]]] = {
    "Which files could not be read, and why?": [
        ("permission", "PermissionError EACCES", "/pacs/locked.dcm"),
        ("truncated", "ends inside the header", "/pacs/cut.dcm"),
    ],
    "How did the files end?": [
        ("container", None, 1),
        ("duplicate", None, 1),
        ("duplicate_uid_conflict", None, 1),
        ("parsed", None, 3),
        ("quarantined", "permission", 1),
        ("quarantined", "truncated", 1),
    ],
    "Which files have gone from their source?": [("/pacs/2.dcm", "parsed")],
    "Which files hold the same instance?": [
        ("/pacs/1.dcm", "/pacs/copy.dcm", "duplicate"),
        ("/pacs/2.dcm", "/pacs/edited.dcm", "duplicate_uid_conflict"),
    ],
    "How much is there of each modality?": [("CT", 1, 1, 2), ("MR", 2, 2, 2)],
    "What value does an element have?": [("1.1", "5.0"), ("1.2", "1.25")],
    "Where do the body parts come from?": [
        ("declared", "CHEST", 2),
        ("filled-from-ProtocolName", "HEAD", 1),
        ("unknown", None, 1),
    ],
    "Which tags became features, and why not the others?": [
        ("KVP", "numeric", None, "VR DS"),
        ("StudyID", "dropped", "informative", "names an order"),
    ],
    "What is in each cluster?": [(0, "MR", None, 1), (7, "CT", "CHEST", 2)],
    "Which headers does the model know least?": [
        ("/pacs/1.dcm", 0.25),
        ("/pacs/2.dcm", 0.5),
        ("/pacs/b.zip!3.dcm", 0.125),
    ],
    "What does the paper's Table I say of our data?": [("Modality", "homogeneity", "mann_whitney_u", 0.157)],
    "Which runs did not end?": [("r2", "embed")],
}


def write_tables(root: Path) -> None:
    """Write the rows above; below `headers` lie also a part that was replaced and one never committed."""
    delta.prepare(root)
    for table, rows in (
        (tables.TAG_STATISTICS, _TAG_STATISTICS),
        (tables.MODELS, _MODELS),
        (tables.METRICS, _METRICS),
        (tables.RUNS, _RUNS),
    ):
        delta.append(root, table, pa.Table.from_pylist(rows, schema=table.schema))
    files = [{"vanished": False, **row} for row in _FILES]
    for table, rows in (
        (tables.FILES, files),
        (tables.EMBEDDINGS, _EMBEDDINGS),
        (tables.ASSIGNMENTS, _ASSIGNMENTS),
    ):
        _commit(root, table, rows[:2])
        _commit(root, table, rows[2:])
    replaced = _commit(root, tables.HEADERS, _HEADERS[:3])
    _commit(root, tables.HEADERS, _HEADERS, removed=[replaced])
    _part(root, tables.HEADERS, _HEADERS)


def _commit(root: Path, table: Table, rows: list[dict[str, Any]], removed: list[str] | None = None) -> str:
    """The name of the part that was committed."""
    part = pa.Table.from_batches([_part(root, table, rows)], schema=PART)
    version = delta.version(root, table)
    delta.commit_parts(root, table, part, version, overwrite=False, removed=removed or [])
    return str(part["path"][0].as_py())


def _part(root: Path, table: Table, rows: list[dict[str, Any]]) -> pa.RecordBatch:
    writer = PartWriter(root, table)
    writer.write(pa.RecordBatch.from_pylist(rows, schema=table.schema))
    return writer.finish()
