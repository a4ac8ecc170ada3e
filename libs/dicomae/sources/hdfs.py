"""What `pyarrow.fs` leaves out about HDFS. It reaches HDFS by Hadoop's own client.

    this process: pyarrow ──► libhdfs.so ──► a JVM ──► Hadoop's client ──► the cluster

The JVM starts with the first URI of HDFS that a process opens, and ends with the process. When a call fails,
the client prints Java's stack trace on standard error. Nothing can turn that off.
"""

import os
import re
from contextlib import suppress
from glob import iglob

import pyarrow.fs as pafs

SCHEMES = frozenset({"hdfs", "viewfs"})
NEEDS = "ARROW_LIBHDFS_DIR (the folder of libhdfs.so), JAVA_HOME and CLASSPATH (`hadoop classpath --glob`)"

_CLIENT = re.compile(r"hadoop-(common|client-api)-[^/]*\.jar$")


def has_client(classpath: str) -> bool:
    """Whether a jar of a class path is Hadoop's client. Without it libhdfs crashes the process.

    Parameters
    ----------
    classpath : jars, and folders of jars that end in `/*`, joined by the system's separator.
    """
    for entry in classpath.split(os.pathsep):
        jars = iglob(f"{entry}.jar") if entry.endswith("*") else [entry]
        if any(_CLIENT.search(jar) and os.path.isfile(jar) for jar in jars):
            return True
    return False


def file_info(filesystem: pafs.FileSystem, path: str) -> pafs.FileInfo:
    """What a file system says of a path.

    Of HDFS, pyarrow says "no such path" whatever went wrong. The path is then listed, which tells why.

    Raises
    ------
    OSError
        The file system does not answer, or refuses.
    """
    info = filesystem.get_file_info(path)
    if info.type == pafs.FileType.NotFound and filesystem.type_name == "hdfs":
        with suppress(FileNotFoundError):
            filesystem.get_file_info(pafs.FileSelector(path))
    return info
