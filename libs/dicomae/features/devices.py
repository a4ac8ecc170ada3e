"""Which device has made each header: rows of one device have one number."""

import pyarrow as pa
import pyarrow.compute as pc

# What tells devices apart. The station counts where no serial number is given.
COLUMNS = ("Manufacturer", "ManufacturerModelName", "DeviceSerialNumber", "StationName")
_BETWEEN = "\0"  # stands in no value


def of_rows(rows: pa.Table) -> pa.Array:
    """The number of each row's device, int32 (n,), from 0 on. All rows that name nothing are of one device.

    Parameters
    ----------
    rows : the columns `COLUMNS`, texts; null is "not given".

    Examples
    --------
    Two scanners of one model have two serial numbers. Where there is none, the station's name counts.

    >>> import pyarrow as pa
    >>> from dicomae.features.devices import of_rows
    >>> rows = pa.table({
    ...     "Manufacturer": ["ACME", "ACME", "ACME", "ACME"],
    ...     "ManufacturerModelName": ["Scan 1"] * 4,
    ...     "DeviceSerialNumber": ["17", "18", "17", None],
    ...     "StationName": ["A", "A", "B", "CT1"],
    ... })
    >>> of_rows(rows).to_pylist()
    [0, 1, 0, 2]
    """
    manufacturer, model, serial, station = (rows[name].cast(pa.string()) for name in COLUMNS)
    named = pc.coalesce(serial, station)
    joined = pc.binary_join_element_wise(
        manufacturer, model, named, _BETWEEN, null_handling="replace", null_replacement=""
    )
    texts = joined.combine_chunks() if isinstance(joined, pa.ChunkedArray) else joined
    return texts.dictionary_encode().indices
