"""The Delta tables: one Arrow schema, key and clustering for each, and nothing about storage."""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from dicomae.codes import ModelKind, Space

TEXTS = pa.map_(pa.string(), pa.string())
SHARES = pa.map_(pa.string(), pa.float64())
TIME = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True)
class Table:
    """A table of the house.

    Attributes
    ----------
    name : its folder below `--tables`.
    key : columns that identify a row.
    schema : Arrow schema, in the order of the columns.
    cluster_by : columns whose bounds let a reader skip files.
    made_by : the job that fills it: "sample" is jobs/sample.py. None: several jobs add rows. A table cannot
        ask the jobs, which stand on the roof; a test compares it with what each job `writes`.
    """

    name: str
    key: tuple[str, ...]
    schema: pa.Schema
    cluster_by: tuple[str, ...] = ()
    made_by: str | None = None

    @property
    def columns(self) -> list[str]:
        """Names of the columns in the schema's order."""
        return list(self.schema.names)


def _schema(*fields: tuple[str, pa.DataType]) -> pa.Schema:
    return pa.schema([*fields, ("run_id", pa.string())])


FILES = Table(
    "files",
    ("path",),
    _schema(
        ("path", pa.string()),  # URI or absolute path; `archive!member` inside an archive
        ("container", pa.string()),  # the archive or table that holds it; null for a file of its own
        ("size", pa.int64()),  # bytes; null for a folder that could not be listed
        ("mtime", TIME),
        ("etag", pa.string()),  # of an object store's inventory
        ("status", pa.string()),  # codes.FileStatus
        ("reason", pa.string()),  # codes.Reason; unless quarantined, why it could not be read again
        ("detail", pa.string()),  # the reason in words; no patient value
        ("attempts", pa.int32()),
        ("SOPInstanceUID", pa.string()),  # null unless one was read
        ("content_hash", pa.string()),  # of the data set up to the pixel data
        ("original_path", pa.string()),  # for duplicates: the file that `headers` keeps
        ("vanished", pa.bool_()),  # no longer in its source when that was last listed
    ),
    made_by="ingest",
)

# Columns of `headers` that hold one element's value, with the element's keyword as name.
PROMOTED_TEXT = (
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SOPClassUID",
    "TransferSyntaxUID",
    "PatientID",
    "StudyDate",
    "Modality",
    "Manufacturer",
    "ManufacturerModelName",
    "BodyPartExamined",
    "PhotometricInterpretation",
)
PROMOTED_INTEGER = ("SamplesPerPixel", "Rows", "Columns", "BitsStored", "NumberOfFrames")

HEADERS = Table(
    "headers",
    ("SOPInstanceUID",),
    _schema(
        ("SOPInstanceUID", pa.string()),
        *((name, pa.string()) for name in PROMOTED_TEXT),
        *((name, pa.int32()) for name in PROMOTED_INTEGER),
        ("body_part", pa.string()),  # repaired; null is unknown
        ("body_part_source", pa.string()),  # declared, normalised, filled-from-X, unknown
        ("has_window", pa.bool_()),  # WindowCenter and WindowWidth are filled, at the top or in a group
        ("has_pixel_data", pa.bool_()),  # the element is there; it was not read
        ("path", pa.string()),
        ("content_hash", pa.string()),
        ("elements", TEXTS),
        ("vrs", TEXTS),  # only where the VR is not PS3.6's, or the element is from a functional group
        ("element_errors", TEXTS),
    ),
    cluster_by=("Modality", "run_id"),
    made_by="ingest",
)

SAMPLE = Table(
    "sample",
    ("SOPInstanceUID",),
    _schema(
        ("SOPInstanceUID", pa.string()),
        ("Modality", pa.string()),
        ("body_part", pa.string()),
        ("body_part_source", pa.string()),
        ("split", pa.string()),  # train, validation, test
    ),
    made_by="sample",
)

TAG_STATISTICS = Table(
    "tag_statistics",
    ("scope", "key"),
    _schema(
        ("scope", pa.string()),  # archive: all rows of `headers`; sample: those of `sample`
        ("key", pa.string()),  # of the elements map
        ("vr", pa.string()),  # the most frequent one
        ("rows", pa.int64()),  # rows of the scope
        ("present", pa.int64()),  # rows that have the element
        ("filled", pa.int64()),  # rows whose value is not empty
        ("fill", pa.float64()),  # filled / rows
        ("fill_by_modality", SHARES),
        ("varies", pa.bool_()),  # at least two unique values, placeholders aside: exact
        ("distinct_hll", pa.int64()),  # unique values: HyperLogLog, exact when few
        ("numeric_share", pa.float64()),  # of the values read, those meant as numbers throughout
        ("max_values", pa.int32()),  # most values of one element (value multiplicity)
        ("minimum", pa.float64()),  # over all numbers
        ("maximum", pa.float64()),
        ("step", pa.string()),  # of the funnel, at which it left; null for features
        ("decision", pa.string()),  # numeric, categorical, dropped; null in scope archive
        ("why", pa.string()),  # the decision in words, with its figures
    ),
    made_by="tag_statistics",
)

FEATURE_SPECS = Table(
    "feature_specs",
    ("spec_id",),
    _schema(
        ("spec_id", pa.string()),  # sha256 of `spec`
        ("feature_set", pa.string()),  # codes.FeatureSet
        ("n_features", pa.int32()),
        ("width", pa.int32()),  # columns of X
        ("spec", pa.string()),  # FeatureSpec as JSON
    ),
    made_by="fit_features",
)

# One model of each kind for each feature set; training again replaces it. The model's id is no part of
# the key. With it, two autoencoders of one feature set could stand there, and nothing would say which counts.
MODELS = Table(
    "models",
    ("feature_set", "kind"),
    _schema(
        ("feature_set", pa.string()),  # codes.FeatureSet
        ("kind", pa.string()),  # codes.ModelKind
        ("model_id", pa.string()),  # the folder below `registry`
        ("spec_id", pa.string()),
        ("candidate", pa.string()),
        ("width", pa.int32()),
        ("bottleneck", pa.int32()),
        ("validation_error", pa.float64()),  # mean squared reconstruction error
    ),
    made_by="train",
)


@dataclass(frozen=True)
class ModelRow:
    """A row of `MODELS`: the model of one kind that was chosen for one feature set."""

    feature_set: str
    kind: str
    model_id: str
    spec_id: str
    candidate: str
    width: int
    bottleneck: int
    validation_error: float
    run_id: str

    @property
    def key(self) -> tuple[str, str]:
        """Its feature set and kind: the key of the table."""
        return self.feature_set, self.kind

    @property
    def space(self) -> Space:
        """The space of its embeddings."""
        return ModelKind(self.kind).space

    @property
    def spaces(self) -> tuple[Space, Space]:
        """The spaces that its rows are clustered in: that of X, and its own."""
        return Space.ORIGINAL, self.space


def model_rows(models: pa.Table) -> list[ModelRow]:
    """The rows of `MODELS`, in the order of the table."""
    return [ModelRow(**row) for row in models.to_pylist()]


EMBEDDINGS = Table(
    "embeddings",
    ("SOPInstanceUID", "model_id"),
    _schema(
        ("SOPInstanceUID", pa.string()),
        ("model_id", pa.string()),
        ("embedding", pa.list_(pa.float32())),
        ("reconstruction_error", pa.float32()),  # mean squared error of the row
        ("out_of_vocabulary", pa.int32()),  # categorical values that are not in the vocabulary
        ("clipped", pa.int32()),  # numbers outside the fitted bounds
        ("unparsed", pa.int32()),  # filled values of numeric features that are no numbers
    ),
    cluster_by=("model_id",),
    made_by="embed",
)

MEDOIDS = Table(
    "medoids",
    ("model_id", "space", "n_clusters", "cluster"),
    _schema(
        ("model_id", pa.string()),
        ("feature_set", pa.string()),
        ("space", pa.string()),  # codes.Space
        ("n_clusters", pa.int32()),
        ("cluster", pa.int32()),  # 0-based
        ("SOPInstanceUID", pa.string()),  # the medoid
        ("vector", pa.list_(pa.float32())),
        ("train_size", pa.int64()),  # training rows in the cluster
        ("sum_of_distances", pa.float64()),  # of those rows to the medoid
        ("sum_of_squares", pa.float64()),  # of the same distances, squared
        ("engine", pa.string()),
    ),
    made_by="cluster",
)

ASSIGNMENTS = Table(
    "assignments",
    ("SOPInstanceUID", "model_id", "space"),
    _schema(
        ("SOPInstanceUID", pa.string()),
        ("model_id", pa.string()),
        ("space", pa.string()),  # codes.Space
        ("cluster", pa.map_(pa.int32(), pa.int32())),  # n_clusters -> cluster
        ("distance", pa.map_(pa.int32(), pa.float32())),  # n_clusters -> L1 to the medoid
    ),
    cluster_by=("model_id", "space"),
    made_by="cluster",
)

METRICS = Table(
    "metrics",
    ("job", "name", "labels"),
    _schema(
        ("job", pa.string()),
        ("name", pa.string()),
        ("labels", TEXTS),  # sorted by key; what the value is about
        ("value", pa.float64()),  # null: not defined, as an elbow that is not there
    ),
)


@dataclass(frozen=True)
class Metric:
    """A number that a job has measured: a row of `METRICS` before the job and the run are added.

    Attributes
    ----------
    name : what was measured, such as "homogeneity".
    labels : what the value is about, such as {"space": "original", "n_clusters": 15}.
    value : null when it is not defined, as an elbow that is not there.
    """

    name: str
    labels: Mapping[str, object]
    value: float | None


RUNS = Table(
    "runs",
    ("run_id",),
    pa.schema(
        [
            ("run_id", pa.string()),
            ("job", pa.string()),
            ("fingerprint", pa.string()),  # of the job, its configuration and what it read
            ("started", TIME),
            ("finished", TIME),  # null: it was interrupted, or failed, after it had written
            ("config_sha256", pa.string()),
            ("read_versions", pa.map_(pa.string(), pa.int64())),
            ("packages", TEXTS),
            ("summary", pa.string()),  # the job's last line, JSON
            ("user", pa.string()),  # who ran it: the account's name on that host
            ("host", pa.string()),
        ]
    ),
)

TOMBSTONES = Table(
    "tombstones",
    ("digest",),
    _schema(
        ("digest", pa.string()),  # sha256 of the salt, the kind and the identifier; hexadecimal
        ("kind", pa.string()),  # codes.Identifier
    ),
    made_by="forget",
)

ALL = (
    FILES,
    HEADERS,
    SAMPLE,
    TAG_STATISTICS,
    FEATURE_SPECS,
    MODELS,
    EMBEDDINGS,
    MEDOIDS,
    ASSIGNMENTS,
    METRICS,
    RUNS,
    TOMBSTONES,
)
