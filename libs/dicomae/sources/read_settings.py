"""How files are read: one value, built once from the configuration, that all readers of files require.

    conf/default.toml, [ingest] ──► `IngestConfig` ──► `ReadSettings` ──┬──► headers, archives
                                                                        └──► the time that storage may take

Nothing here has a default: a reader that is given no settings does not run, and so none of them is lost on
the way. A field is called as its key is, such as `header_limit_bytes`.
"""

from dataclasses import dataclass, fields

from dicomae.config import IngestConfig


@dataclass(frozen=True)
class ReadSettings:
    """What decides how a file is read; `IngestConfig` says more of each field.

    Attributes
    ----------
    first_read_bytes : how much of a file the first read asks for, such as 16384.
    header_limit_bytes : how far into a file a header may go.
    read_timeout_seconds : how long storage may take to answer once.
    archive_limit_members : how many members an archive may have.
    archive_limit_bytes : how many bytes all members of an archive may have together, decompressed.
    archive_limit_ratio : how many bytes each byte of an archive may become.
    batch_files : how many files are parsed together.
    flatten_sequences : keywords of sequences whose first item becomes elements `Parent[0].Child`.
    functional_groups : paths in functional groups to values that become elements.
    """

    first_read_bytes: int
    header_limit_bytes: int
    read_timeout_seconds: float
    archive_limit_members: int
    archive_limit_bytes: int
    archive_limit_ratio: int
    batch_files: int
    flatten_sequences: tuple[str, ...]
    functional_groups: tuple[str, ...]

    @classmethod
    def of(cls, config: IngestConfig) -> "ReadSettings":
        """The settings that a configuration says."""
        return cls(**{field.name: getattr(config, field.name) for field in fields(cls)})
