"""An ssh server on loopback that logs the running user into a home of its own, for `ray up` to find."""

from __future__ import annotations

import getpass
import os
import shlex
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = ("sshd", "ssh", "ssh-keygen", "rsync", "nc", "uv")
PASSED_ON = (
    "PIP_",
    "UV_",
    "SSL_CERT",
    "REQUESTS_CA",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
)
"""Settings of package installers that the machine needs; everything else of the environment stays outside."""


def missing() -> list[str]:
    """The programs that are needed and not here."""
    return [name for name in PROGRAMS if shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") is None]


@dataclass(frozen=True)
class Sshd:
    """Where the server listens, and the key and home that it knows."""

    port: int
    key: Path
    home: Path

    @property
    def auth(self) -> dict[str, str]:
        """The `auth` of a cluster whose nodes are reached through this server."""
        return {
            "ssh_user": getpass.getuser(),
            "ssh_private_key": str(self.key),
            "ssh_proxy_command": f"nc 127.0.0.1 {self.port}",
        }


@contextmanager
def sshd(folder: Path) -> Iterator[Sshd]:
    """Run a server whose every login lands in ``folder/home``, as a machine of its own would."""
    home = folder / "home"
    home.mkdir(parents=True)
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    settings = {name: value for name, value in os.environ.items() if name.startswith(PASSED_ON)}
    cache = subprocess.run(["uv", "cache", "dir"], capture_output=True, text=True, check=True).stdout.strip()
    exports = {**settings, "UV_CACHE_DIR": cache, "HOME": str(home)}
    login = folder / "login"
    login.write_text(
        "#!/bin/sh\n"
        + "".join(f"export {name}={shlex.quote(value)}\n" for name, value in exports.items())
        + 'cd "$HOME"\nexec /bin/sh -c "${SSH_ORIGINAL_COMMAND:-bash --login}"\n'
    )
    login.chmod(0o755)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = folder / "sshd_config"
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/user.pub\n"
        f"UsePAM no\nStrictModes no\nPasswordAuthentication no\nPermitRootLogin prohibit-password\nPidFile none\n"
        f"MaxSessions 50\nMaxStartups 50\nForceCommand {login}\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd drops its privileges into it
    program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program is not None
    server = subprocess.Popen([program, "-D", "-e", "-f", config], stderr=(folder / "sshd.log").open("w"))
    try:
        deadline = time.monotonic() + 10
        while socket.socket().connect_ex(("127.0.0.1", port)) != 0:
            assert server.poll() is None, (folder / "sshd.log").read_text()
            assert time.monotonic() < deadline, "sshd did not come up"
            time.sleep(0.05)
        yield Sshd(port, folder / "user", home)
    finally:
        server.terminate()
        server.wait()
