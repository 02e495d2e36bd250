"""Files in S3, or in any server that speaks S3 and honours ``If-None-Match: *`` on PUT (SPEC 2.2).

The usual environment variables say where and who: AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL, AWS_REGION or
AWS_DEFAULT_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN; without keys, whatever the
machine has been given (profile, instance role).
"""

from __future__ import annotations

import os
import tempfile
from functools import cached_property
from typing import Any, Final
from urllib.parse import urlsplit

from storage.errors import BadUrl
from storage.files import Bytes, Draft, reaching


class S3Files:
    """The objects under ``s3://bucket/prefix``. A PUT is atomic, so none has a temporary name."""

    local: Final = False

    def __init__(self, bucket: str, prefix: str) -> None:
        if not bucket:
            raise BadUrl("an S3 store is written s3://bucket/prefix; the bucket's name is missing")
        if any(part in ("", ".", "..") for part in prefix.split("/")) and prefix:
            raise BadUrl(f"cannot keep a store at s3://{bucket}/{prefix}: empty, '.' and '..' parts name nothing in S3")
        self._bucket = bucket
        self._prefix = prefix

    def __reduce__(self) -> tuple[Any, ...]:  # open connections do not travel to other processes
        return type(self), (self._bucket, self._prefix)

    @property
    def url(self) -> str:
        return f"s3://{self._key('')}"

    def _key(self, path: str) -> str:
        return "/".join(part for part in (self._bucket, self._prefix, path) if part)

    def address(self, path: str) -> str:
        return f"s3://{self._key(path)}"

    @cached_property
    def _endpoint(self) -> str:
        return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""

    @cached_property
    def _region(self) -> str:
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        if region:
            return region
        if self._endpoint:  # a server of one's own has no regions, but both clients want one
            return "us-east-1"
        from pyarrow.fs import resolve_s3_region

        return str(resolve_s3_region(self._bucket))

    @property
    def options(self) -> dict[str, str]:
        # The conditional PUT is what makes a commit exclusive, so no setting of the environment may turn it off.
        options = {"AWS_REGION": self._region, "AWS_CONDITIONAL_PUT": "etag"}
        if self._endpoint:
            options["AWS_ENDPOINT_URL"] = self._endpoint
            options["AWS_ALLOW_HTTP"] = str(urlsplit(self._endpoint).scheme == "http").lower()
        return options

    @cached_property
    def _fs(self) -> Any:
        from pyarrow.fs import S3FileSystem

        where: dict[str, str] = {}
        if self._endpoint:
            parts = urlsplit(self._endpoint)
            where = {"endpoint_override": parts.netloc + parts.path.rstrip("/"), "scheme": parts.scheme}
        # Delayed opening makes a small object one PUT: no half-made multipart upload is left by a kill.
        # Parts that are sent in the background would pile up in memory.
        return S3FileSystem(region=self._region, allow_delayed_open=True, background_writes=False, **where)

    def arrow(self, path: str) -> tuple[Any, str]:
        return self._fs, self._key(path)

    def put(self, path: str, *chunks: Bytes) -> None:
        with reaching(self, path, writing=True), self._fs.open_output_stream(self._key(path)) as stream:
            stream.write(chunks[0] if len(chunks) == 1 else b"".join(chunks))

    def draft(self, path: str) -> Draft:
        with reaching(self, path, writing=True):
            return S3Draft(self)

    def get(self, path: str) -> bytes:
        with reaching(self, path), self._fs.open_input_file(self._key(path)) as file:
            return bytes(file.read())

    def get_range(self, path: str, start: int, length: int) -> bytes:
        with reaching(self, path), self._fs.open_input_file(self._key(path)) as file:
            return bytes(file.read_at(length, start)) if start < file.size() else b""

    def exists(self, path: str) -> bool:
        with reaching(self, path):
            return bool(self._fs.get_file_info(self._key(path)).is_file)

    def names(self, path: str) -> list[str]:
        return sorted(info.base_name for info in self._infos(path) if info.is_file)

    def folders(self, path: str) -> list[str]:
        from pyarrow.fs import FileType

        return sorted(info.base_name for info in self._infos(path) if info.type == FileType.Directory)

    def _infos(self, path: str) -> list[Any]:
        from pyarrow.fs import FileSelector

        with reaching(self, path):
            return list(self._fs.get_file_info(FileSelector(self._key(path), allow_not_found=True)))

    def delete(self, path: str) -> None:
        try:
            with reaching(self, path):
                self._fs.delete_file(self._key(path))
        except FileNotFoundError:
            return

    def sync(self, *paths: str) -> None:
        """Nothing: an answered PUT is kept."""

    def sweep(self, path: str) -> None:
        """Nothing: there are no temporary objects."""


class S3Draft(Draft):
    """A nameless file on this machine's disk until it is kept: then one upload."""

    def __init__(self, files: S3Files) -> None:
        self._files = files
        self.file = tempfile.TemporaryFile()  # noqa: SIM115  # closed by `close`

    def keep(self, path: str) -> None:
        from pyarrow.fs import LocalFileSystem, copy_files

        fs, key = self._files.arrow(path)
        with reaching(self._files, path, writing=True):
            self.file.seek(0)
            copy_files(f"/dev/fd/{self.file.fileno()}", key, LocalFileSystem(), fs, use_threads=False)
        self.close()
