"""A server process that speaks S3: moto's, one request at a time, with faults on demand. Prints its port.

moto checks ``If-None-Match`` and stores the object in two steps, so two of its threads may both win; the lock makes
the conditional PUT as atomic as S3's own. ``POST /_fault?kind=...`` arms one fault for the next log entry that is PUT.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

_moto = DomainDispatcherApplication(create_backend_app)
_lock = threading.Lock()
_armed: list[str] = []


def _app(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
    with _lock:
        if path == "/_fault":
            _armed[:] = parse_qs(environ["QUERY_STRING"]).get("kind", [])
            start("200 OK", [("Content-Length", "0")])
            return [b""]
        fault = _armed.pop() if _armed and method == "PUT" and "/_delta_log/" in path else None
        if fault == "refuse":  # nothing is stored, and the client may not try again
            start("403 Forbidden", [("Content-Length", "0")])
            return [b""]
        if fault == "lose answer":  # stored, but the client is told to try again
            list(_moto(environ, lambda *_: lambda _: None))
            start("503 Service Unavailable", [("Content-Length", "0")])
            return [b""]
        answer = list(_moto(environ, start))
        if fault == "replace":  # another writer's entry lands on top: a server without conditional PUT
            bucket, _, key = path.lstrip("/").partition("/")
            from moto.s3.models import s3_backends

            s3_backends["123456789012"]["aws"].put_object(bucket, key, b"{}\n")
        return answer


if __name__ == "__main__":
    server = make_server("127.0.0.1", 0, _app, threaded=True, request_handler=MotoRequestHandler)
    print(server.server_address[1], flush=True)
    server.serve_forever()
