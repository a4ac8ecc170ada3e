"""What a table was: old parts, parts of no commit, and a log that tells bounds and paths of rows long gone.

    parts/ of now ─────────────► stay                 _delta_log/ 7.json, 7.checkpoint.parquet ──► stay
    parts/ that left the table ► removed              _delta_log/ 0.json … 6.json ───────────────► removed

The newest commit stays beside its checkpoint, because readers ask for both. So the table keeps its id and its
version, and what is up to date stays so. Nobody can read an earlier version any more.
"""

import json
import os
import shutil
from pathlib import Path

from dicomae.lake import delta
from dicomae.tables import Table

_LOG = "_delta_log"
_LAST_CHECKPOINT = "_last_checkpoint"


def remove(root: Path, table: Table) -> None:
    """Let nothing of the table be left but what it is now; no other run may be at work.

    Killed at any point it leaves the table as it is: a checkpoint is written before anything is removed.
    """
    version = delta.checkpoint(root, table)
    log = root / table.name / _LOG
    newest = log / f"{version:020}.json"
    _without_predicate(newest)
    _remove_others(log, {newest.name, f"{version:020}.checkpoint.parquet", _LAST_CHECKPOINT})
    _remove_others(root / table.name, {_LOG, *(part.name for part in delta.parts(root, table))})


def _without_predicate(commit: Path) -> None:
    """Rewrite a commit that quotes a condition, as Spark does of `DELETE … WHERE PatientID = '4711'`."""
    actions = [json.loads(line) for line in commit.read_text(encoding="utf-8").splitlines() if line]
    told = [action["commitInfo"] for action in actions if "commitInfo" in action]
    if not any((each.get("operationParameters") or {}).pop("predicate", None) for each in told):
        return
    unfinished = commit.with_name("unfinished")
    unfinished.write_text("".join(json.dumps(action) + "\n" for action in actions), encoding="utf-8")
    os.replace(unfinished, commit)


def _remove_others(folder: Path, kept: set[str]) -> None:
    """Remove what lies in a folder but for these names; the oldest commits first, as their names sort."""
    for path in sorted(folder.iterdir()):
        if path.name in kept:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
