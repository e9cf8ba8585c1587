"""A login, from end to end: a real Flask application over https, and the jar in further processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

import pystickyhttp
from pystickyhttp.cookies import CookieJar
from tests.servers.certificates import key_pair
from tests.servers.login import COOKIE, PASSWORD
from tests.servers.real import RealServer


@pytest.fixture(scope="module")
def site(ca: trustme.CA, ca_file: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    folder = tmp_path_factory.mktemp("login")
    pair = key_pair(ca, folder)

    def command(descriptor: int) -> list[str]:
        return [
            *("gunicorn", "--bind", f"fd://{descriptor}", "--workers", "1"),
            *(
                "--worker-class",
                "gthread",
                "--threads",
                "4",
                "--graceful-timeout",
                "1",
                "--log-level",
                "warning",
            ),
            *("--certfile", pair.certificate, "--keyfile", pair.key, "tests.servers.login:site"),
        ]

    with RealServer("login", command, folder / "server", trust=ca_file) as server:
        yield server


def log_in(session: pystickyhttp.Session, site: RealServer, ca_file: str, **more: str) -> None:
    session.verify = ca_file
    form = {"user": "ali", "password": PASSWORD, **more}
    response = session.post(f"{site.url}/login", data=form)
    assert (response.status_code, response.text) == (200, "ali, visit 1")


# What a further process does: it takes the cookies from the file, visits the page, and puts them back.
FURTHER = """
import sys
import pystickyhttp
from pystickyhttp.cookies import CookieJar

url, ca_file, path = sys.argv[1:]
with pystickyhttp.Session() as session:
    session.verify = ca_file
    session.cookies = CookieJar.load(path)
    response = session.get(url)
    session.cookies.save(path)
print(response.status_code, response.text)
"""


def visit_in_a_new_process(site: RealServer, ca_file: str, path: Path) -> str:
    arguments = [sys.executable, "-c", FURTHER, f"{site.url}/home", ca_file, str(path)]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_session_logs_in_stays_so_and_logs_out(
    session: pystickyhttp.Session, site: RealServer, ca_file: str
) -> None:
    session.verify = ca_file
    assert session.get(f"{site.url}/home").status_code == 401
    log_in(session, site, ca_file)
    (cookie,) = session.cookies
    assert (cookie.name, cookie.domain, cookie.path, cookie.expires) == (COOKIE, "127.0.0.1", "/", None)
    assert (cookie.secure, cookie.http_only, cookie.host_only, cookie.same_site) == (True, True, True, "Lax")
    assert session.get(f"{site.url}/home").text == "ali, visit 2"
    session.post(f"{site.url}/logout")
    assert len(session.cookies) == 0
    assert session.get(f"{site.url}/home").status_code == 401


def test_a_login_at_one_name_of_the_host_is_none_at_another(
    session: pystickyhttp.Session, site: RealServer, ca_file: str
) -> None:
    log_in(session, site, ca_file)
    other = site.url.replace("127.0.0.1", "localhost")
    assert session.get(f"{other}/home").status_code == 401


@pytest.mark.parametrize("name", ["cookies.txt", "cookies.json"])
@pytest.mark.parametrize("more", [{}, {"keep": "yes"}], ids=["for the session", "for a month"])
def test_a_jar_that_is_loaded_in_a_new_process_stays_logged_in(
    session: pystickyhttp.Session,
    site: RealServer,
    ca_file: str,
    tmp_path: Path,
    name: str,
    more: dict[str, str],
) -> None:
    log_in(session, site, ca_file, **more)
    assert all(cookie.discard is not bool(more) for cookie in session.cookies)
    session.cookies.save(tmp_path / name)
    for visit in (2, 3):
        assert visit_in_a_new_process(site, ca_file, tmp_path / name) == f"200 ali, visit {visit}"
    session.cookies = CookieJar.load(tmp_path / name)
    session.post(f"{site.url}/logout")
    session.cookies.save(tmp_path / name)
    assert visit_in_a_new_process(site, ca_file, tmp_path / name) == "401 who are you?"
