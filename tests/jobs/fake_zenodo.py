"""A small Zenodo on this machine that misbehaves as it is told."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Zenodo:
    """Files by name, what the record says of them, and the faults to come.

    Each fault spoils one answer to a file's request, in order: "break N" (close after N bytes), "500", "429", "404",
    "no ranges" (send all of it, whatever was asked), "wrong byte", "too much", "short length" (a Content-Length that
    is half of the truth), "wrong range", "416", "close" (no answer at all), "weak tag".
    """

    contents: dict[str, bytes]
    faults: list[str] = field(default_factory=list)
    record_faults: list[str] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)
    entries: list[Any] = field(default_factory=list)
    url: str = ""

    def record(self) -> dict[str, Any]:
        listed = [
            {
                "id": name,
                "key": name,
                "size": len(content),
                "checksum": f"md5:{hashlib.md5(content).hexdigest()}",
                "links": {"self": f"{self.url}/files/{name}"},
            }
            for name, content in self.contents.items()
        ]
        return {"id": 1188976, "files": [*listed, *self.entries]}

    def tag(self, name: str) -> str:
        return f'"{hashlib.sha1(self.contents[name]).hexdigest()}"'


@contextmanager
def running(contents: dict[str, bytes]) -> Iterator[Zenodo]:
    zenodo = Zenodo(contents)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.close_connection = True
            if self.path == "/record":
                fault = zenodo.record_faults.pop(0) if zenodo.record_faults else ""
                if fault.isdecimal():
                    self.send_error(int(fault))
                    return
                body = fault.encode() or json.dumps(zenodo.record()).encode()
                self.answer(200, body, {})
                return
            name = self.path.rpartition("/")[2]
            zenodo.asked.append({key.lower(): value for key, value in self.headers.items()})
            self.send_file(name, zenodo.faults.pop(0) if zenodo.faults else "")

        def send_file(self, name: str, fault: str) -> None:
            content = zenodo.contents[name]
            if fault == "close":
                return
            if fault.isdecimal():
                self.send_response(int(fault))
                self.send_header("Retry-After", "7")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            start = int(asked[1]) if asked else 0
            if self.headers.get("If-Range", zenodo.tag(name)) != zenodo.tag(name) or fault == "no ranges":
                start = 0
            status = 206 if start else 200
            body = content[start:]
            extra = {"ETag": ("W/" if fault == "weak tag" else "") + zenodo.tag(name)}
            if start:
                first = start + 1 if fault == "wrong range" else start
                extra["Content-Range"] = f"bytes {first}-{len(content) - 1}/{len(content)}"
            if fault == "wrong byte":
                body = bytes([body[0] ^ 1]) + body[1:]
            if fault == "too much":
                body += b"more"
            stated = len(body)
            if fault == "short length":
                stated //= 2
            cut = int(fault.removeprefix("break ")) if fault.startswith("break ") else len(body)
            self.answer(status, body[:cut], extra, stated)

        def answer(self, status: int, body: bytes, extra: dict[str, str], stated: int | None = None) -> None:
            self.send_response(status)
            for key, value in extra.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(body) if stated is None else stated))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Keep the tests quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    zenodo.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield zenodo
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
