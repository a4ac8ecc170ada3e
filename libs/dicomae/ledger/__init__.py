"""Which file is new, again, gone, or the holder of a UID: SQL over the lake; no Spark, no JVM.

The ledger is the table `files`: a row for each file that was ever seen. A run compares a listing with it
(`changes`), reads what has changed, and settles which file keeps a SOPInstanceUID (`identity`). It ends as
edits of Parquet parts (`edits`), which are committed together with what was read.

Words
-----
listed file
    A file that the source names now: a path, and size, time and etag as far as the source tells them.
known
    A file that has a row in `files`.
member
    A file inside an archive, `/pacs/a.zip!1.dcm`. Its `container` is the archive, `/pacs/a.zip`.
headerless
    A file that is `parsed` and has no row of `headers`, because a run was killed between its two commits.
holder
    The file whose row `headers` keeps for a SOPInstanceUID. Its copies name it as `original_path`.
loser
    A file that was read, or is in `headers`, and gives way to the holder.
silent
    A file that was to be read and was not there, or did not answer.
unread
    A known file that is silent when it is read again. It keeps its row, which gets the reason. Example:
    `/pacs/1.dcm` is `parsed`, its disk hangs, and `files.reason` becomes `timeout`.

Changes: what a listing says of a file that the ledger does not say (`changes.Change`)
--------------------------------------------------------------------------------------
new
    It is not known. `/pacs/new.dcm` is read.
again
    It is known and to be read again: its size, time or etag differs, it is headerless, or it can be there
    by now. `/pacs/1.dcm` has grown.
orphaned
    It is a copy whose holder has changed or gone, so it is read again. `/pacs/copy.dcm` holds 1.2.3, and
    `/pacs/1.dcm`, which held it, now holds another instance.
vanished
    It is known and no longer in the source. `/pacs/1.dcm` was deleted: its rows stay, with a mark.
returned
    It had vanished and is there again, unchanged. The disk of `/pacs` is mounted again.
gone
    It needs no row any more. `/pacs/locked` is a folder that could not be listed, and can be now.
shrunk
    It is an archive that has lost members, and no run has marked them. `/pacs/a.zip` lost `2.dcm`.
unanswered
    It is known, and the source does not answer now. `/pacs/1.dcm` stays as it was.

Statuses: what became of a file (`codes.FileStatus`)
----------------------------------------------------
parsed
    Its header was read, and `headers` has its row. `/pacs/1.dcm` holds 1.2.3.
duplicate
    Its header is the same as that of another file with the same UID. `/pacs/copy.dcm`, of `/pacs/1.dcm`.
duplicate_uid_conflict
    Its header is another than that of the file with the same UID. Two scanners gave both 1.2.3.
quarantined
    It could not be read, or is no DICOM file; `reason` and `detail` say why. `/pacs/letter.pdf`.
container
    It is an archive or a table whose members have rows of their own. `/pacs/a.zip`.

Reasons: why a file could not be read (`codes.Reason`)
------------------------------------------------------
empty
    It has no bytes. `touch /pacs/1.dcm`.
not_dicom
    Neither a file meta nor a data set begins it. `/pacs/letter.pdf`.
truncated
    It ends inside its header. A transfer of `/pacs/1.dcm` was cut.
unreadable
    Its header breaks the standard's structure. An element of `/pacs/1.dcm` is longer than its sequence.
no_instance_uid
    It names no SOPInstanceUID. `/pacs/1.dcm` was made by a converter.
too_large
    Its header is longer, deeper or has more elements than the limits. `ingest.header_limit_bytes`.
permission
    The system forbids to read it. `/pacs/1.dcm` belongs to another user.
io_error
    The storage failed, or Delta cannot hold its name. A name that is not UTF-8.
not_a_file
    It is neither a file nor a folder, or a link that is not followed. `/pacs/pipe` is a fifo;
    `/pacs/link` leads out of `/pacs` (`ingest.follow_links`), or to a folder above itself.
missing
    A list or a link names it, and it is not there. `/pacs/1.dcm` was moved after the list was written.
timeout
    The storage did not answer in time. `ingest.read_timeout_seconds`.
archive_damaged
    The archive cannot be read to its end. `/pacs/a.zip` was cut.
archive_bomb
    The archive has more members or bytes than the limits. `ingest.archive_limit_ratio`.
archive_encrypted
    The member is encrypted. `/pacs/a.zip!1.dcm`.
archive_nested
    The member is itself an archive. `/pacs/a.zip!b.zip`.
forgotten
    Its instance or its patient was erased (`jobs/forget.py`), and it is there still. Its row tells the path
    alone. `/pacs/1.dcm` was forgotten and not deleted.

Erasure: how the tables forget a patient (`tombstones`, `erasure`)
------------------------------------------------------------------
tombstone
    A salted hash of a SOPInstanceUID or a PatientID. What has one leaves every table, and stays out.
erased
    A row whose SOPInstanceUID has a tombstone. All instances of a forgotten patient in `headers` get one.
private place
    A folder or an archive with erased files and no instance of anyone else. `/pacs/DOE^JANE`.
companion
    A row of `files` in a private place that names no instance. `/pacs/DOE^JANE/letter.pdf` is erased, too.
"""
