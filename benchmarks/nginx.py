"""The floor: nginx as a plain proxy, one worker, kept connections on both sides, an access log as the gateway has."""

import shutil
from pathlib import Path

_CONFIGURATION = """\
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log;
events {{
    worker_connections 16384;
}}
http {{
    access_log {folder}/nginx-access.log;
    client_body_temp_path {folder}/nginx-bodies;
    proxy_temp_path {folder}/nginx-proxy;
    fastcgi_temp_path {folder}/nginx-fastcgi;
    uwsgi_temp_path {folder}/nginx-uwsgi;
    scgi_temp_path {folder}/nginx-scgi;
    keepalive_requests 100000000;
    upstream bench {{
        server 127.0.0.1:{upstream};
        keepalive 2048;
        keepalive_requests 100000000;
    }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        client_max_body_size 1g;
        location / {{
            proxy_pass http://bench;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
            proxy_request_buffering off;
        }}
    }}
}}
"""


def find() -> str | None:
    """The program; None where it is not installed."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


def configure(folder: Path, port: int, upstream_port: int) -> Path:
    """The file of a proxy on *port*, written into *folder*."""
    path = folder / "nginx.conf"
    text = _CONFIGURATION.format(folder=folder, port=port, upstream=upstream_port)
    path.write_text(text, encoding="utf-8")
    return path
