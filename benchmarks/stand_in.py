"""A stand-in for the table: it gives one answer to whatever it is asked, over TLS, from a core of its own.

nginx where it is installed (Debian: `nginx-light`), because it is a real server; else a Python
process, which does less for a request and so answers sooner, which makes a ratio to one round
trip harder to keep. `StandIn.name` says which it was.
"""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

READY_WITHIN_S = 10.0

IN_PYTHON = """
import os, socket, ssl, sys, threading
answer = b"HTTP/1.1 200 OK\\r\\nContent-Type: application/x-amz-json-1.0\\r\\nContent-Length: %d\\r\\n\\r\\n"
body = open(sys.argv[3], "rb").read()
answer = answer % len(body) + body
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
listener = socket.create_server(("127.0.0.1", int(sys.argv[4])), backlog=64)
def serve(plain):
    try:
        wire = context.wrap_socket(plain, server_side=True)
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        held = b""
        while chunk := wire.recv(65536):
            held += chunk
            head, blank, rest = held.partition(b"\\r\\n\\r\\n")
            length = int(head.lower().partition(b"content-length:")[2].split(b"\\r\\n")[0] or 0) if blank else 0
            if blank and len(rest) >= length:
                held = b""
                wire.sendall(answer)
    except OSError:
        pass
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""

# One process and no files but these. A `$` in the answer would begin a variable, so it comes from one.
NGINX = """
daemon off;
master_process off;
pid nginx.pid;
error_log stderr crit;
events {{ worker_connections 64; }}
http {{
    access_log off;
    keepalive_requests 1000000;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    geo $dollar {{ default "$"; }}
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        location / {{ default_type application/x-amz-json-1.0; return 200 '{answer}'; }}
    }}
}}
"""


class StandIn(NamedTuple):
    """Where it listens, the certificate to trust, and which program it is."""

    endpoint: str
    ca_file: Path
    name: str


@contextlib.contextmanager
def stand_in(directory: Path, answer: str) -> Iterator[StandIn]:
    """Answer every request with *answer*, which holds no `'`; files go to *directory*."""
    certificate, key = directory / "server.pem", directory / "server-key.pem"
    _make_certificate(certificate, key)
    port = free_port()
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    command = (
        _nginx(program, directory, port, certificate, key, answer)
        if program
        else _python(directory, port, certificate, key, answer)
    )
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    with process:
        try:
            if hasattr(os, "sched_setaffinity"):
                os.sched_setaffinity(process.pid, {max(os.sched_getaffinity(0))})
            wait_for(port)
            yield StandIn(f"https://127.0.0.1:{port}", certificate, "nginx" if program else "a Python process")
        finally:
            process.kill()


def _nginx(program: str, directory: Path, port: int, certificate: Path, key: Path, answer: str) -> Sequence[str]:
    settings = directory / "nginx.conf"
    escaped = answer.replace("$", "${dollar}")
    settings.write_text(NGINX.format(port=port, certificate=certificate, key=key, answer=escaped))
    return [program, "-p", str(directory), "-c", str(settings)]


def _python(directory: Path, port: int, certificate: Path, key: Path, answer: str) -> Sequence[str]:
    program, body = directory / "stand_in.py", directory / "answer.json"
    program.write_text(IN_PYTHON)
    body.write_text(answer)
    return [sys.executable, "-S", str(program), str(certificate), str(key), str(body), str(port)]


def free_port() -> int:
    """Return a port that nobody had a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def wait_for(port: int) -> None:
    """Return when *port* accepts connections."""
    give_up_at = time.monotonic() + READY_WITHIN_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            if time.monotonic() > give_up_at:
                raise
            time.sleep(0.02)
        else:
            return


def _make_certificate(certificate: Path, key_file: Path) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "stand-in")])
    now = datetime.datetime.now(datetime.timezone.utc)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    private = serialization.PrivateFormat.PKCS8
    key_file.write_bytes(key.private_bytes(serialization.Encoding.PEM, private, serialization.NoEncryption()))
