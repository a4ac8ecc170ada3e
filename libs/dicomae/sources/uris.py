"""Where files come from: the file system and the path that a local path or a URI of `pyarrow.fs` names.

Inside a file system a path has no scheme: `bucket/key`, `/pacs/1.dcm`. In the tables it has `path_prefix`
before it: `s3://bucket/key`. So it says where the file is, and stays the same whatever user, password or
query the URI has.
"""

import os

import pyarrow as pa
import pyarrow.fs as pafs

from dicomae.errors import UsageError
from dicomae.sources import hdfs


def open_source(uri: str) -> tuple[pafs.FileSystem, str]:
    """The file system and the folder that a local path or a URI names.

    Raises
    ------
    UsageError
        There is no such folder, or nothing can open it.
    """
    filesystem, folder, is_file = open_either(uri)
    if is_file:
        raise UsageError(f"{shown(uri)}: not a folder; give the folder that holds the file")
    return filesystem, folder


def open_either(uri: str) -> tuple[pafs.FileSystem, str, bool]:
    """The file system and the folder or file that a local path or a URI names, and whether it is a file.

    Raises
    ------
    UsageError
        There is neither a folder nor a file, or nothing can open it.
    """
    filesystem, path, kind = _opened(uri)
    if kind == pafs.FileType.NotFound:
        raise UsageError(f"{shown(uri)}: no such folder; give the folder that holds the DICOM files")
    if kind == pafs.FileType.Unknown:
        raise UsageError(f"{shown(uri)}: neither a folder nor a file")
    return filesystem, path, kind == pafs.FileType.File


def open_file(uri: str) -> tuple[pafs.FileSystem, str]:
    """The file system and the file (an archive, an inventory, a DICOMDIR) that a path or a URI names.

    Raises
    ------
    UsageError
        There is no such file, or nothing can open it.
    """
    filesystem, path, kind = _opened(uri)
    if kind != pafs.FileType.File:
        raise UsageError(f"{shown(uri)}: no such file; check the path")
    return filesystem, path


def open_filesystem(uri: str) -> pafs.FileSystem:
    """The file system of a folder or file that a local path or a URI names.

    Raises
    ------
    UsageError
        Nothing can open it.
    """
    return _opened(uri)[0]


def path_prefix(uri: str) -> str:
    """What stands before a path of the source's file system in the tables.

    Examples
    --------
    Local files have no prefix. `s3://key:secret@bucket/x?region=…` has `s3://`, because its paths begin with
    the bucket. HDFS has `hdfs://host:port`.
    """
    if "://" not in uri or uri.startswith("file:"):
        return ""
    scheme, _, rest = shown(uri).partition("://")
    # Elsewhere a path begins with the bucket.
    return f"{scheme}://{rest.partition('/')[0] if scheme in hdfs.SCHEMES else ''}"


def _opened(uri: str) -> tuple[pafs.FileSystem, str, pafs.FileType]:
    on_hdfs = uri.partition("://")[0] in hdfs.SCHEMES
    if on_hdfs and not hdfs.has_client(os.environ.get("CLASSPATH", "")):  # where libhdfs looks
        raise UsageError(f"{shown(uri)}: no jar of CLASSPATH is Hadoop's client; set {hdfs.NEEDS}")
    try:
        filesystem, path = _resolved(uri)
        return filesystem, path, hdfs.file_info(filesystem, path).type
    except (pa.ArrowException, OSError, ValueError) as error:  # its text may hold the URI's password
        what = f"the URI, {hdfs.NEEDS}" if on_hdfs else "the URI"
        raise UsageError(f"{shown(uri)}: cannot be opened ({type(error).__name__}); check {what}") from None


def _resolved(uri: str) -> tuple[pafs.FileSystem, str]:
    if "://" in uri:
        filesystem, path = pafs.FileSystem.from_uri(uri)
        return filesystem, path
    return pafs.LocalFileSystem(), absolute(uri)


def absolute(path: str) -> str:
    """The one name of a local path, without `.`, `..` and doubled slashes: `//pacs/./a` is `/pacs/a`."""
    return "/" + os.path.abspath(path).lstrip("/")


def shown(uri: str) -> str:
    """The URI without what may be a password: `s3://key:secret@bucket` → `s3://bucket`."""
    scheme, separator, rest = uri.partition("://")
    if not separator:
        return uri
    return f"{scheme}://{rest.partition('?')[0].rpartition('@')[2]}"
