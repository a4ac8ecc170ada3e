r"""A Modality as it is compared: the first value, in capitals, without padding.

Modality is a CS of one value (PS3.5, section 6.2): `ct`, ` CT ` and `CT\PT` break that rule, and mean CT.
The element stays as it was written.
"""

import pyarrow as pa
import pyarrow.compute as pc

KEYWORD = "Modality"
_PADDING = " \t\r\n\0"


def normalised(texts: pa.Array) -> pa.Array:
    r"""The Modality that each text (n,) means; null when it holds nothing.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from dicomae.features.modality import normalised
    >>> normalised(pa.array(["CT", " ct ", "CT\\PT", "\\MR", "", None])).to_pylist()
    ['CT', 'CT', 'CT', 'MR', None, None]
    """
    filled = pc.utf8_ltrim(texts.cast(pa.string()), _PADDING + "\\")
    first = pc.list_element(pc.split_pattern(filled, "\\", max_splits=1), 0)
    meant = pc.utf8_upper(pc.utf8_trim(first, _PADDING))
    return pc.if_else(pc.equal(meant, ""), None, meant)
