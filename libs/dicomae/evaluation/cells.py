"""Which cells of a count may be named: a cell of few patients could point at one of them.

Rows are no measure of that: one series can have hundreds. All rows without a PatientID count as one patient.
"""

from collections.abc import Mapping, Sequence

MINIMUM_PATIENTS = 5
OTHERS = "other"


def folded(named: Mapping[str, int], rest: int, rest_patients: int, others: str = OTHERS) -> dict[str, int]:
    """The counts, the largest first, and under `others` those of all cells that are not named.

    When fewer than `MINIMUM_PATIENTS` patients are among the others, the smallest named cell joins them: else
    its share would be what is left of the whole.

    Parameters
    ----------
    named : rows of each cell that has enough patients.
    rest, rest_patients : rows and patients of all other cells together.

    Examples
    --------
    >>> from dicomae.evaluation.cells import folded
    >>> folded({"CT": 90, "MR": 40}, rest=9, rest_patients=6)
    {'CT': 90, 'MR': 40, 'other': 9}
    >>> folded({"CT": 90, "MR": 40}, rest=9, rest_patients=1)
    {'CT': 90, 'other': 49}
    """
    ranked = sorted(named.items(), key=lambda item: (-item[1], item[0]))
    if rest and rest_patients < MINIMUM_PATIENTS and ranked:
        rest += ranked.pop()[1]
    found = dict(ranked)
    if rest:
        found[others] = found.get(others, 0) + rest
    return found


def count(
    values: Sequence[str], patients: Sequence[str | None], most: int, others: str = OTHERS
) -> dict[str, int]:
    """Rows of each value that at least `MINIMUM_PATIENTS` patients have; the rest is folded.

    Parameters
    ----------
    values, patients : (n,) of each row.
    most : values that are named at the most, the most frequent ones.

    Examples
    --------
    >>> from dicomae.evaluation.cells import count
    >>> values = ["CHEST"] * 6 + ["TOE"] * 9 + ["HEAD"] * 5
    >>> patients = [*"ABCDEF", *"AAAAAAAAA", *"ABCDE"]
    >>> count(values, patients, most=2)
    {'CHEST': 6, 'other': 14}
    """
    rows: dict[str, list[str | None]] = {}
    for value, patient in zip(values, patients, strict=True):
        rows.setdefault(value, []).append(patient)
    common = [value for value, who in rows.items() if len(set(who)) >= MINIMUM_PATIENTS]
    chosen = sorted(common, key=lambda value: (-len(rows[value]), value))[:most]
    rest = [patient for value, who in rows.items() if value not in chosen for patient in who]
    return folded({value: len(rows[value]) for value in chosen}, len(rest), len(set(rest)), others)


def shown(values: Sequence[str | None], patients: Sequence[str | None]) -> list[str | None]:
    """The values (n,), those that may not be named as `OTHERS`; null stays null.

    Examples
    --------
    >>> from dicomae.evaluation.cells import shown
    >>> shown(["CT", "CT", "CT", "CT", "CT", "MR", None], [*"ABCDE", "A", "A"])
    ['other', 'other', 'other', 'other', 'other', 'other', None]
    >>> shown(["CT", "CT", "CT", "CT", "CT", None], [*"ABCDE", "A"])
    ['CT', 'CT', 'CT', 'CT', 'CT', None]
    """
    rows = [row for row, value in enumerate(values) if value is not None]
    known = [values[row] or "" for row in rows]
    named = count(known, [patients[row] for row in rows], most=len(rows))
    return [value if value is None or value in named else OTHERS for value in values]
