"""Links of a local file system: which of them lead to files that no other way leads to.

    a link ──► leads back, to nothing ──► a failure with its reason
           ├─► into what is listed anyway ──► nothing: what it leads to has a row of its own
           └─► elsewhere ──► a failure; a `Link` when links are followed

Where a link leads is asked of the system once, and then compared as a path without links. So a source is a
tree again, whatever links it holds: 13 folders with two links each to the next are 13 folders.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

LOOP = "a link to a folder above itself"
NOWHERE = "a link to nothing"
OUTSIDE = "a link out of the source, which ingest.follow_links would follow"


class Link(NamedTuple):
    """A link that leads out of all that is listed.

    Attributes
    ----------
    path : of the link.
    target : where it leads, a path without links.
    identity : device and inode of the target, such as `64769:131074`.
    is_folder : whether the target is a folder.
    size, mtime : of a target that is a file, in bytes and in nanoseconds since 1970.
    """

    path: str
    target: str
    identity: str
    is_folder: bool
    size: int
    mtime: int


@dataclass(frozen=True)
class LinkRule:
    """Which links are followed.

    Attributes
    ----------
    roots : folders, as paths without links, that are listed with all that lies below them: the source; and,
        when links are followed, the folders that they lead to.
    follow : whether links that lead out of the source are followed.
    tables : the local folder of the tables, a path without links; None when they are not local.
    identities : of the folders that links have led to. One that is mounted twice has two paths.
    """

    roots: frozenset[str]
    follow: bool = False
    tables: str | None = None
    identities: frozenset[str] = frozenset()

    def with_folders(self, links: Sequence[Link]) -> "LinkRule":
        """The rule when the folders that links lead to are listed too."""
        return replace(
            self,
            roots=self.roots | {link.target for link in links},
            identities=self.identities | {link.identity for link in links},
        )

    def is_listed(self, target: str) -> bool:
        """Whether a path without links lies in what is listed."""
        return any(above in self.roots for above in _and_above(target))

    def leads_to_tables(self, target: str) -> bool:
        """Whether following a link would read the tables: what it leads to lies in them, or holds them."""
        if self.tables is None:
            return False
        return is_inside(target, self.tables) or (self.follow and is_inside(self.tables, target))


def real(path: str) -> str:
    r"""The path without links. Bytes of a name that are no UTF-8 are escaped: Arrow holds no such text."""
    return os.fsencode(os.path.realpath(path)).decode("utf-8", errors="backslashreplace")


def is_inside(path: str, folder: str) -> bool:
    """Whether a path is the folder or lies below it: `/pacs/a` in `/pacs`. Both are without links."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def leads_back(path: str, target: str) -> bool:
    """Whether a link leads to a folder through which it was reached. Following it would never end."""
    holder = os.path.dirname(path)
    reached = {real(holder)}
    above = is_inside(real(holder), target)
    while holder != os.path.dirname(holder):
        holder = os.path.dirname(holder)
        reached.add(real(holder))
    return above or target in reached


def one_of_each(links: Sequence[Link], rule: LinkRule) -> list[Link]:
    """The links to what is not listed, one for each file or folder: that of the first path.

    A folder that lies in another that a link leads to is left out, for it is listed with the other.
    """
    first: dict[str, Link] = {}
    for link in sorted(links):
        if not rule.is_listed(link.target) and link.identity not in rule.identities:
            first.setdefault(link.identity, link)
    found = rule.with_folders([link for link in first.values() if link.is_folder])
    return [link for link in first.values() if not found.is_listed(os.path.dirname(link.target))]


def _and_above(path: str) -> Iterable[str]:
    yield path
    while path != os.path.dirname(path):
        path = os.path.dirname(path)
        yield path
