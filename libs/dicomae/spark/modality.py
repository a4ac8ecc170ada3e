"""`features.modality` as an expression of Spark."""

from pyspark.sql import Column
from pyspark.sql import functions as F

_FIRST_VALUE = r"^[ \t\r\n\x00\\]*([^\\]*?)[ \t\r\n\x00]*(?:\\|\z)"


def normalised(name: str = "Modality") -> Column:
    """The Modality that a column of texts means; null when it holds nothing."""
    return F.nullif(F.upper(F.regexp_extract(name, _FIRST_VALUE, 1)), F.lit(""))
