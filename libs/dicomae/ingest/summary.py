"""What an ingest tells a person at its end: counts alone, for a path can name a patient."""

from collections.abc import Sequence
from typing import Any

from dicomae.runtime.summary import Summary


def summarise(summaries: Sequence[Summary]) -> tuple[str, Summary]:
    """Text for a person, and the summary itself, of an ingest."""
    summary = summaries[-1]
    return "\n".join(["", *lines(summary.as_json()), "", ""]), summary


def lines(counts: dict[str, Any]) -> list[str]:
    """The ledger's counts in words; the paths stand in `files`."""
    told = [
        f"{counts['files']:,} files = {counts['rows']:,} headers + {counts['duplicates']:,} duplicates "
        f"({counts['conflicts']:,} of other content) + {counts['quarantined']:,} quarantined"
    ]
    if counts["vanished"]:
        told.append(f"{counts['vanished']:,} of them have vanished from their source")
    if counts["unread"]:
        told.append(f"{counts['unread']:,} could not be read again, and stay as they were")
    told += [f"  {reason:<18} {files:>10,}" for reason, files in counts["reasons"].items()]
    return told
