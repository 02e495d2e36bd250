"""Objects under ``s3://``: the usual AWS_* environment variables say where and who.

AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL (another server than Amazon's), AWS_REGION or AWS_DEFAULT_REGION,
AWS_SKIP_SIGNATURE=true (public buckets, no credentials); credentials as the AWS tools find them.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ravdess.corpora.entry import MEDIA, Entry, fitting, single
from ravdess.errors import BadSource

if TYPE_CHECKING:
    from pyarrow import NativeFile
    from pyarrow.fs import S3FileSystem


def entries(prefix: str) -> Iterator[Entry]:
    """The objects under a prefix, or the one object of that name. Raises BadSource when there is none."""
    from pyarrow.fs import FileSelector, FileType

    path = prefix.removeprefix("s3://").rstrip("/")
    if not path:
        raise BadSource("s3:// names no bucket: expected s3://<bucket>/<prefix>")
    try:
        store = _filesystem(path)
        found = store.get_file_info(path)
        if found.type == FileType.NotFound:
            raise BadSource(f"nothing at {prefix}: check the bucket, the prefix and AWS_ENDPOINT_URL")
        if found.type == FileType.File:
            yield single(Entry(f"s3://{found.path}", found.size), prefix)
            return
        infos = store.get_file_info(FileSelector(path, recursive=True))
    except OSError as error:
        raise BadSource(f"cannot list {prefix}: {error}") from None
    for info in sorted(infos, key=lambda info: info.path):
        entry = Entry(f"s3://{info.path}", info.size)
        if info.type == FileType.File:
            yield entry
        elif entry.ending in MEDIA:
            yield Entry(entry.uri, problem="a folder, not a file")


def read(uri: str) -> bytes:
    """An object's content. Raises OSError, or BadClip for one that is too large."""
    with open_file(uri) as file:
        content: bytes = file.read(fitting(file.size()))
    return content


def digest(uri: str, size: int) -> str:
    """The object's entity tag, which changes with its content; empty where the server gives none. Raises OSError."""
    with open_file(uri) as file:
        tag = file.metadata().get("ETag", b"").decode().strip('"')
    return f"etag:{size}:{tag}" if tag else ""


def open_file(uri: str) -> NativeFile:
    """The object as a file that seeks: a zip file is read by its parts. Raises OSError."""
    path = uri.removeprefix("s3://")
    return _filesystem(path).open_input_file(path)


def _filesystem(path: str) -> S3FileSystem:
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or ""
    anonymous = os.environ.get("AWS_SKIP_SIGNATURE", "").lower() in ("1", "true")
    return _connect(path.partition("/")[0], endpoint, region, anonymous, os.getpid())


@functools.lru_cache(maxsize=8)
def _connect(bucket: str, endpoint: str, region: str, anonymous: bool, process: int) -> S3FileSystem:
    from pyarrow.fs import AwsStandardS3RetryStrategy, S3FileSystem, resolve_s3_region

    if not region:
        region = "us-east-1" if endpoint else resolve_s3_region(bucket)
    scheme, _, host = endpoint.rpartition("://")
    return S3FileSystem(
        endpoint_override=host.rstrip("/") or None,
        scheme=scheme or "https",
        region=region,
        anonymous=anonymous,
        connect_timeout=10,
        request_timeout=60,
        retry_strategy=AwsStandardS3RetryStrategy(max_attempts=5),
    )
