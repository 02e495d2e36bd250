"""The errors of the store: a small typed family. Each names the store and the path, and says what to do."""

from __future__ import annotations


class StorageError(Exception):
    """Anything that the store refuses. Catch this to catch them all."""


class BadUrl(StorageError, ValueError):
    """A store's address that is neither a local path nor ``s3://bucket/prefix``."""


class BadName(StorageError, ValueError):
    """A name that could leave the store, or that is hidden from readers by its first character."""


class NotFound(StorageError, LookupError):
    """No such table, version, column, take, file or model; the message lists what there is."""


class Mismatch(StorageError, ValueError):
    """A table stands already, with another schema, key or fingerprint than asked for."""


class BadRows(StorageError, ValueError):
    """Rows that do not fit the table's schema, or that have no key."""


class UnknownFormat(StorageError, ValueError):
    """A table that a newer release wrote, or that is none of this store's."""


class Damaged(StorageError, ValueError):
    """Files that the table's log names are missing, or their bytes have changed."""


class Unreachable(StorageError, OSError):
    """The log could not be read or written: no access, no network, a full disk, or a broken log."""


class CommitFailed(StorageError, RuntimeError):
    """Other writers won every attempt; nothing was added by this one."""


class Closed(StorageError, ValueError):
    """The writer was closed; open another."""
