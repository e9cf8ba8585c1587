"""The articles that people learn sessions from, run as written.

Five articles about persistent connections with `requests` are the seeds of this package. Each of their
snippets stands in the table below, character by character, but for the line breaks and indentation that the
articles' way to us had taken away. It runs where `import requests` gives pystickyhttp, over https as it is
written and over http with nothing but the scheme changed, against httpbin and the example hosts under
gunicorn; the public names lead to the loopback. What it prints and what the server saw stands beside it.
"""

from __future__ import annotations

import contextlib
import io
import re
import sys
from dataclasses import dataclass, field
from typing import Any

import pytest

import pystickyhttp
from tests.servers.real import RealServer


@dataclass(frozen=True)
class Snippet:
    """A snippet, and what must be seen when it runs.

    Attributes:
        seed: the number of the article.
        name: which of its snippets.
        text: the snippet.
        given: what the article takes for granted at this place, run ahead of it.
        stdout: a regular expression for all that it prints.
        seen: the requests that reached the server, in order.
        connections: by how many connections they came.
        then: expressions to evaluate after it, and what they give; of a mapping, a part is enough. The
            example hosts answer with what they saw of the request, so headers are found here.
    """

    seed: str
    name: str
    text: str
    given: str = ""
    stdout: str = ""
    seen: tuple[str, ...] = ()
    connections: int = 0
    then: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.seed} {self.name}"


SNIPPETS = [
    Snippet(
        seed="000",
        name="creating a persistent session",
        text="""\
import requests

session = requests.Session()

response = session.get('https://api.example.com/v1/data') 
# Session used automatically

session.headers.update({'X-Auth-Token': 'my-token'})
""",  # noqa: W291 - the blank at the end of a line is the article's
        seen=("GET /v1/data", "GET /v1/data"),
        connections=1,
        then={
            "response.status_code": 200,
            "response.json()": {"host": "api.example.com", "path": "/v1/data"},
            "'X-Auth-Token' in response.json()['headers']": False,
            # "Any custom headers … are also retained": the next request has it, on the same connection.
            "session.get(response.url).json()['headers']": {"X-Auth-Token": "my-token"},
        },
    ),
    Snippet(
        seed="001",
        name="basic usage",
        text="""\
import requests
# Create a session
session = requests.Session()
# Set default headers for all requests in this session
session.headers.update({'User-Agent': 'MyApp/1.0'})
# Make a GET request
response1 = session.get('https://api.example.com/data')
print(response1.json())
# Make another request; cookies and headers are reused
response2 = session.post('https://api.example.com/submit', data={'key': 'value'})
print(response2.json())
# Close the session to release resources
session.close()
""",
        stdout=(
            r"\{.*'User-Agent': 'MyApp/1\.0'.*'method': 'GET'.*'path': '/data'.*\}\n"
            r"\{.*'form': \{'key': 'value'\}.*'User-Agent': 'MyApp/1\.0'.*'method': 'POST'.*\}\n"
        ),
        seen=("GET /data", "POST /submit"),
        connections=1,
        then={
            "response1.json()": {"host": "api.example.com"},
            "response2.json()['headers']": {"Content-Type": "application/x-www-form-urlencoded"},
        },
    ),
    Snippet(
        seed="001",
        name="persisting cookies",
        text="""\
import requests
# Create a session
session = requests.Session()
# Log in to a website
login_data = {'username': 'user', 'password': 'pass'}
response = session.post('https://example.com/login', data=login_data)
# Access a protected page; the session automatically sends the login cookie
protected_page = session.get('https://example.com/protected')
print(protected_page.text)
# Close the session
session.close()
""",
        stdout=r'\{[^$]*"cookies":\s*\{\s*"session":\s*"of-user"\s*\}[^$]*\}\s*\n',
        seen=("POST /login", "GET /protected"),
        connections=1,
        then={
            "response.json()['form']": {"username": "user", "password": "pass"},
            "response.cookies.get_dict()": {"session": "of-user"},
            "protected_page.status_code": 200,
            "session.cookies.get_dict()": {"session": "of-user"},
        },
    ),
    Snippet(
        seed="001",
        name="setting default parameters",
        given="import functools\n",
        text="""\
import requests
session = requests.Session()
# Set default headers
session.headers.update({
    'Authorization': 'Bearer my_token',
    'Accept': 'application/json'
})
# Set default timeout
session.request = functools.partial(session.request, timeout=5)
# Make requests; headers and timeout are automatically applied
response1 = session.get('https://api.example.com/endpoint1')
response2 = session.get('https://api.example.com/endpoint2')
session.close()
""",
        seen=("GET /endpoint1", "GET /endpoint2"),
        connections=1,
        then={
            "session.request.keywords": {"timeout": 5},
            "response1.json()['headers']": {"Authorization": "Bearer my_token", "Accept": "application/json"},
            "response2.json()['headers']": {"Authorization": "Bearer my_token", "Accept": "application/json"},
        },
    ),
    Snippet(
        seed="001",
        name="connection pooling",
        text="""\
import requests
import time
# Without session
start = time.time()
for _ in range(5):
    requests.get('https://api.example.com/data')
print(f"Without session: {time.time() - start} seconds")
# With session
session = requests.Session()
start = time.time()
for _ in range(5):
    session.get('https://api.example.com/data')
print(f"With session: {time.time() - start} seconds")
session.close()
""",
        stdout=r"Without session: [\d.e-]+ seconds\nWith session: [\d.e-]+ seconds\n",
        seen=("GET /data",) * 10,
        connections=5 + 1,
    ),
    Snippet(
        seed="001",
        name="authentication",
        text="""\
import requests
from requests.auth import HTTPBasicAuth
session = requests.Session()
session.auth = HTTPBasicAuth('user', 'pass')
# All requests will include Basic Auth
response = session.get('https://api.example.com/protected')
print(response.json())
session.close()
""",
        stdout=r"\{.*'Authorization': 'Basic dXNlcjpwYXNz'.*'user': 'user'.*\}\n",
        seen=("GET /protected",),
        connections=1,
        then={"response.status_code": 200},
    ),
    Snippet(
        seed="001",
        name="custom adapters",
        text="""\
import requests
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry
session = requests.Session()
# Configure retries
retries = Retry(total=3, backoff_factor=0.1, status_forcelist=[500, 502, 503, 504])
session.mount('https://', HTTPAdapter(max_retries=retries))
# Make a request with retry logic
response = session.get('https://api.example.com/unstable_endpoint')
print(response.json())
session.close()
""",
        stdout=r"\{.*'path': '/unstable_endpoint'.*\}\n",
        # It fails twice; "this example sets up automatic retries for specific HTTP error codes".
        seen=("GET /unstable_endpoint",) * 3,
        connections=1,
        then={
            "response.status_code": 200,
            "[attempt.status for attempt in response.attempts]": [503, 503, 200],
            "type(session.get_adapter(response.url)).__module__": "pystickyhttp.adapters",
        },
    ),
    Snippet(
        seed="001",
        name="proxies",
        given="import requests\nsession = requests.Session()\n",
        text="session.proxies = {'http': 'http://proxy.com', 'https': 'https://proxy.com'}\n",
        then={"session.proxies['http']": "http://proxy.com"},
    ),
    Snippet(
        seed="001",
        name="closing a session",
        given="import requests\nsession = requests.Session()\nsession.get('https://api.example.com/data')\n",
        text="session.close()\n",
        seen=("GET /data",),
        connections=1,
    ),
    Snippet(
        seed="001",
        name="a session as a context manager",
        given="import requests\n",
        text="""\
with requests.Session() as session:
    session.headers.update({'User-Agent': 'MyApp/1.0'})
    response = session.get('https://api.example.com/data')
    print(response.json())
# Session is automatically closed when the block exits
""",
        stdout=r"\{.*'User-Agent': 'MyApp/1\.0'.*\}\n",
        seen=("GET /data",),
        connections=1,
    ),
    Snippet(
        seed="002",
        name="session objects, connection pooling and keep-alive headers",
        given="url = 'https://api.example.com/data'\n",
        text="""\
import requests

session = requests.Session()

session = requests.Session()
session.max_connections = 10

response = session.get(url, headers={'Connection': 'keep-alive'})
""",
        seen=("GET /data", "GET /data"),
        connections=1,
        then={
            "session.max_connections": 10,
            "response.json()['headers']": {"Connection": "keep-alive"},
            # "reusing existing connections rather than creating new ones for each request"
            "session.get(url).status_code": 200,
        },
    ),
    Snippet(
        seed="003",
        name="multiple requests",
        text="""\
import requests
# Create a session object
with requests.Session() as session:
    # Modify session headers if needed
    session.headers.update({'User-Agent': 'my-app/0.0.1'})
    # First request
    response_one = session.get('https://httpbin.org/cookies/set/sessioncookie/123456789')
    print(response_one.text)
    # Second request (reuses the same TCP connection)
    response_two = session.get('https://httpbin.org/cookies')
    print(response_two.text)
""",
        stdout=r'(\{\s*"cookies":\s*\{\s*"sessioncookie":\s*"123456789"\s*\}\s*\}\s*\n){2}',
        # The first request is redirected to the page of the second.
        seen=("GET /cookies/set/sessioncookie/123456789", "GET /cookies", "GET /cookies"),
        connections=1,
        then={
            "[response.status_code for response in response_one.history]": [302],
            "response_two.request.headers": {
                "User-Agent": "my-app/0.0.1",
                "Cookie": "sessioncookie=123456789",
            },
        },
    ),
    Snippet(
        seed="003",
        name="without the with statement",
        given="import requests\n",
        text="""\
# Without the with statement
session = requests.Session()
# Make requests using session...
session.close()
""",
    ),
    Snippet(
        seed="004",
        name="syntax",
        given="import requests\nurl = 'https://httpbin.org/anything'\ndata = {'key': 'value'}\n",
        text="""\
session = requests.Session()
session.get(url)
session.post(url, data)
""",
        seen=("GET /anything", "POST /anything", "POST /anything"),
        connections=1,
        then={"session.post(url, data).json()": {"method": "POST", "form": {"key": "value"}}},
    ),
    Snippet(
        seed="004",
        name="the status of a page",
        text="""\
import requests
session = requests.Session()
response = session.get('https://example.com')
print(response.status_code)
""",
        stdout="200\n",
        seen=("GET /",),
        connections=1,
    ),
    Snippet(
        seed="004",
        name="logging in",
        text="""\
import requests
# Create a session object
session = requests.Session()
# Login URL and credentials
login_url = 'https://httpbin.org/post'
login_data = {'username': 'user', 'password': 'pass'}
# Send a POST request to login
login_response = session.post(login_url, data=login_data)
print('Login status:', login_response.status_code)
# Access a page that requires login
profile_url = 'https://httpbin.org/cookies'
profile_response = session.get(profile_url)
print('Profile page status:', profile_response.status_code)
print('Cookies:', profile_response.text)
""",
        # The article's output, but for the blanks that it lost.
        stdout=r'Login status: 200\nProfile page status: 200\nCookies: \{\s*"cookies": \{\}\s*\}\s*\n',
        seen=("POST /post", "GET /cookies"),
        connections=1,
        then={"login_response.json()['form']": {"username": "user", "password": "pass"}},
    ),
    Snippet(
        seed="004",
        name="common pitfalls",
        text="""\
import requests
# Wrong way: separate requests lose cookies
response1 = requests.post('https://httpbin.org/post', data={'key': 'value'})
response2 = requests.get('https://httpbin.org/cookies')
print('Cookies without session:', response2.text)
# Right way: use session to keep cookies
session = requests.Session()
session.post('https://httpbin.org/post', data={'key': 'value'})
response = session.get('https://httpbin.org/cookies')
print('Cookies with session:', response.text)
""",
        stdout=(
            r'Cookies without session: \{\s*"cookies": \{\}\s*\}\s*\n'
            r'Cookies with session: \{\s*"cookies": \{\}\s*\}\s*\n'
        ),
        seen=("POST /post", "GET /cookies", "POST /post", "GET /cookies"),
        connections=2 + 1,
    ),
]


def run(snippet: Snippet, scheme: str) -> dict[str, Any]:
    """Run a snippet as a program of its own; its names, once it has ended."""
    names: dict[str, Any] = {"__name__": "__main__"}
    for part, text in (("what is given", snippet.given), ("the snippet", snippet.text)):
        code = compile(text.replace("https://", f"{scheme}://"), f"{part} of seed {snippet}", "exec")
        exec(code, names)
    return names


def matches(found: Any, expected: Any) -> bool:
    """Whether it is what was expected; of a mapping, whether it holds what was expected."""
    if isinstance(expected, dict):
        return all(name in found and found[name] == value for name, value in expected.items())
    return bool(found == expected)


@pytest.fixture
def requests_is_pystickyhttp(monkeypatch: pytest.MonkeyPatch) -> None:
    """`import requests` gives pystickyhttp, so that the text of a snippet need not be touched."""
    monkeypatch.setitem(sys.modules, "requests", pystickyhttp)
    for name in ("adapters", "auth"):
        monkeypatch.setitem(sys.modules, f"requests.{name}", getattr(pystickyhttp, name))


@pytest.fixture
def trusting_as_a_user_would(monkeypatch: pytest.MonkeyPatch, ca_file: str) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", ca_file)


@pytest.mark.usefixtures(
    "requests_is_pystickyhttp", "trusting_as_a_user_would", "names_to_loopback", "unhurried_drain"
)
@pytest.mark.parametrize("scheme", ["https", "http"])
@pytest.mark.parametrize("snippet", SNIPPETS, ids=str)
def test_the_snippet_runs_as_written(
    snippet: Snippet, scheme: str, httpbin_server: RealServer, httpbin_tls_server: RealServer
) -> None:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        names = run(snippet, scheme)
    assert re.fullmatch(snippet.stdout, printed.getvalue()), printed.getvalue()
    for expression, expected in snippet.then.items():
        found = eval(expression, names)
        assert matches(found, expected), f"{expression} is {found!r}"
    asked, spared = httpbin_tls_server, httpbin_server
    if scheme == "http":
        asked, spared = spared, asked
    assert tuple(asked.requests()) == snippet.seen
    assert asked.connections() == snippet.connections
    assert spared.requests() == []


@pytest.mark.usefixtures("requests_is_pystickyhttp", "names_to_loopback")
def test_verification_is_on_until_it_is_switched_off_as_seed_001_says() -> None:
    """Seed 001: "By default, Session verifies SSL certificates. To disable (not recommended for production),
    use `session.verify = False`." Nobody was told of the tests' authority here.
    """
    names: dict[str, Any] = {}
    exec("import requests\nsession = requests.Session()\n", names)
    with pytest.raises(pystickyhttp.SSLError, match=r"https://example\.com:443"):
        names["session"].get("https://example.com")
    exec("session.verify = False\n", names)
    assert names["session"].get("https://example.com").status_code == 200
