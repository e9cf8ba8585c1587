"""nginx: where it is, what it is told, and which it is."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks.server import BODY

# Where a system puts it that is not for its users.
ALSO_IN = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin")

# One worker, as the embedded server is one process. Connections are never closed by it, since it is not its
# keeping alive that is measured, and nothing is written in a log. Tickets are on or off and nothing else:
# without a cache there is no other way to resume.
_CONFIGURATION = """
daemon off;
worker_processes 1;
worker_rlimit_nofile 8192;
pid {folder}/nginx.pid;
error_log stderr error;
{user}
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    default_type application/json;
    keepalive_timeout 3600s;
    keepalive_requests 1000000000;
    sendfile on;
    root {folder};
    ssl_certificate {pair};
    ssl_certificate_key {pair};
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_cache off;
    server {{
        listen {host}:{http};
        location = / {{ return 200 '{body}'; }}
    }}
    server {{
        listen {host}:{https} ssl;
        ssl_session_tickets on;
        location = / {{ return 200 '{body}'; }}
    }}
    server {{
        listen {host}:{https_without_tickets} ssl;
        ssl_session_tickets off;
        location = / {{ return 200 '{body}'; }}
    }}
}}
"""


def find_nginx() -> str | None:
    return shutil.which("nginx", path=os.pathsep.join((os.environ.get("PATH", os.defpath), *ALSO_IN)))


def version_of_nginx() -> str | None:
    program = find_nginx()
    if program is None:
        return None
    said = subprocess.run([program, "-v"], capture_output=True, text=True, check=False).stderr
    found = re.search(r"nginx/(\S+)", said)
    return found[1] if found else None


def configuration(folder: Path, pair: Path, host: str, ports: Mapping[str, int]) -> str:
    return _CONFIGURATION.format(
        folder=folder, pair=pair, host=host, body=BODY.decode(), user=_user(), **ports
    )


def _user() -> str:
    """Started as root it would serve as nobody, who may not read the folder."""
    if sys.platform == "win32" or os.getuid() != 0:
        return ""
    import grp  # neither is there on Windows
    import pwd

    return f"user {pwd.getpwuid(0).pw_name} {grp.getgrgid(os.getgid()).gr_name};"
