"""The words of the command line: options, items, URLs, and the names of files. Pure, without a server."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pystickyhttp.cli.arguments import parse
from pystickyhttp.cli.failures import CommandError, Exit
from pystickyhttp.cli.items import SEPARATORS, Item, gather, is_item, split
from pystickyhttp.cli.names import LONGEST_NAME, filename_in, name_of, safe
from pystickyhttp.cli.partial import NOTE, PART
from pystickyhttp.cli.request import full_url


@pytest.mark.parametrize(
    ("text", "item"),
    [
        ("Accept:text/html", Item("Accept", ":", "text/html")),
        ("Accept:", Item("Accept", ":", "")),
        ("X-Empty;", Item("X-Empty", ";", "")),
        ("q==a=b", Item("q", "==", "a=b")),
        ("name=Ada: x", Item("name", "=", "Ada: x")),
        ("age:=36", Item("age", ":=", "36")),
        ("photo@a=b.jpg", Item("photo", "@", "a=b.jpg")),
        ("text=@a.txt", Item("text", "=@", "a.txt")),
        ("data:=@a.json", Item("data", ":=@", "a.json")),
        (r"a\:b=c", Item("a:b", "=", "c")),
        (r"a\=\=b==c", Item("a==b", "==", "c")),
        (r"a\@b:c", Item("a@b", ":", "c")),
        (r"a\\=b", Item("a\\", "=", "b")),
        (r"C\dir=x", Item(r"C\dir", "=", "x")),
        (r"path=C:\dir\=", Item("path", "=", r"C:\dir\=")),
        ("a=", Item("a", "=", "")),
    ],
)
def test_an_item_is_split_at_its_first_separator_that_has_no_backslash(text: str, item: Item) -> None:
    assert split(text) == item


@given(st.text(min_size=1), st.sampled_from(SEPARATORS), st.text(alphabet="abc/.-"))
def test_a_name_whose_separators_are_escaped_comes_out_as_it_was(
    name: str, separator: str, value: str
) -> None:
    escaped = "".join("\\" + char if char in ":=@;\\" else char for char in name)
    assert split(f"{escaped}{separator}{value}") == Item(name, separator, value)


@pytest.mark.parametrize("text", ["word", "=x", ":x", "==", "@file", ";", "a;b", ""])
def test_what_is_no_item_is_told(text: str) -> None:
    with pytest.raises(CommandError) as raised:
        split(text)
    assert raised.value.code == Exit.USAGE


@pytest.mark.parametrize("text", ["a:={", "a:=", "a:=NaN", "a:=-Infinity", "a:=" + "[" * 100_000])
def test_what_is_no_json_is_told(text: str) -> None:
    with pytest.raises(CommandError, match="is no JSON"):
        gather([text])


def test_items_are_sorted_by_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("grüß", encoding="utf-8")
    (tmp_path / "a.json").write_text("[1, 2]")
    items = gather(
        [
            "X:1",
            "X:2",
            "Y;",
            "Accept:",
            "q==1",
            "q==2",
            "name=Ada",
            "age:=36",
            f"text=@{tmp_path}/a.txt",
            f"list:=@{tmp_path}/a.json",
            f"file@{tmp_path}/a.txt",
            "other@x;type=text/csv",
            "third@unknown",
        ]
    )
    assert list(items.headers.lines()) == [("X", "1"), ("X", "2"), ("Y", ""), ("Accept", None)]
    assert items.params == [("q", "1"), ("q", "2")]
    assert items.fields == [("name", "Ada"), ("age", 36), ("text", "grüß"), ("list", [1, 2])]
    assert items.has_json
    assert [(each.name, each.content_type) for each in items.uploads] == [
        ("file", "text/plain"),
        ("other", "text/csv"),
        ("third", "application/octet-stream"),
    ]


def test_a_field_of_a_file_that_is_no_text_is_told_how_to_upload_it(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\xff")
    with pytest.raises(CommandError, match="uploads it as it is"):
        gather([f"a=@{tmp_path}/a"])


@pytest.mark.parametrize("path", ["/nowhere/at/all", "nul\0inside"])
def test_a_file_that_cannot_be_read_is_told(path: str) -> None:
    with pytest.raises(CommandError, match="can't read") as raised:
        gather([f"a=@{path}"])
    assert raised.value.code == Exit.READ_FAILED


@pytest.mark.parametrize(
    ("words", "method", "url", "items"),
    [
        (["example.com"], None, "example.com", []),
        (["GET", "example.com"], "GET", "example.com", []),
        (["put", "example.com", "a=b"], "put", "example.com", ["a=b"]),
        (["PURGE", "example.com"], "PURGE", "example.com", []),
        (["VERSION-CONTROL", "example.com"], "VERSION-CONTROL", "example.com", []),
        (["localhost", "a=b"], None, "localhost", ["a=b"]),
        (["get", "a=b"], None, "get", ["a=b"]),
        (["get", "get"], "get", "get", []),
        (["get", "localhost:8000"], "get", "localhost:8000", []),
        (["post", ":8000", "a=b"], "post", ":8000", ["a=b"]),
        (["post", "http://a@b/?c=d"], "post", "http://a@b/?c=d", []),
        (["-X", "purge", "GET", "a=b"], "purge", "GET", ["a=b"]),
        (["-v", "example.com", "-j", "a=b", "--timing", "c=d"], None, "example.com", ["a=b", "c=d"]),
    ],
)
def test_the_words_are_sorted(words: list[str], method: str | None, url: str, items: list[str]) -> None:
    options = parse(words)
    assert (options.method, options.url, options.items) == (method, url, items)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["-v"],
        ["--bogus", "x"],
        ["x", "--timeout", "soon"],
        ["x", "--timeout", "0"],
        ["x", "--timeout", "nan"],
        ["x", "--retry", "-1"],
        ["x", "--retry", "1_0"],
        ["x", "--tim", "1"],
        ["x", "--json", "--form"],
        ["x", "--auth", "a:b", "--bearer", "c"],
        ["x", "-k", "--cacert", "f"],
        ["x", "-I", "--download"],
        ["x", "-I", "-o", "f"],
        ["x", "-i", "--download"],
        ["x", "--download", "-o", "-"],
        ["x", "--digest"],
        ["x", "--key", "f"],
        ["x", "--output"],
    ],
)
def test_a_wrong_command_line_is_told_before_anything_is_done(arguments: list[str]) -> None:
    with pytest.raises(CommandError) as raised:
        parse(arguments)
    assert raised.value.code == Exit.USAGE


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("example.com/a", "http://example.com/a"),
        ("https://example.com", "https://example.com"),
        ("HTTPS://example.com", "HTTPS://example.com"),
        ("http+unix://%2Fa/b", "http+unix://%2Fa/b"),
        ("//example.com/a", "http://example.com/a"),
        ("localhost:8000/a", "http://localhost:8000/a"),
        (":8000/a", "http://localhost:8000/a"),
        (":8000", "http://localhost:8000/"),
        (":/a", "http://localhost/a"),
        (":", "http://localhost/"),
        (":8000?a=b", "http://localhost:8000?a=b"),
        ("[::1]:80/", "http://[::1]:80/"),
        (" example.com ", "http://example.com"),
        ("user:pass@example.com", "http://user:pass@example.com"),
    ],
)
def test_a_url_is_completed_as_users_expect_it(text: str, url: str) -> None:
    assert full_url(text) == url


def test_what_stands_behind_two_dashes_is_no_option() -> None:
    options = parse(["-f", "--", "POST", "host", "-a=b", "--form=c", "--"])
    assert (options.method, options.url, options.items) == ("POST", "host", ["-a=b", "--form=c", "--"])
    assert options.auth is None


def test_over_a_unix_socket_a_path_is_a_url() -> None:
    assert full_url("/version", over_socket=True) == "http://localhost/version"
    assert full_url("example.com/version", over_socket=True) == "http://example.com/version"


@pytest.mark.parametrize(
    "word", ["localhost:80", "example.com:8000/a=b", "http://a=b", ":80", "/a=b", "[::1]:8"]
)
def test_a_url_is_not_taken_for_an_item(word: str) -> None:
    assert not is_item(word)


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ('attachment; filename="report.pdf"', "report.pdf"),
        ("attachment; filename=report.pdf", "report.pdf"),
        ('attachment; FileName = "a b.pdf"; size=3', "a b.pdf"),
        (r'attachment; filename="a\"b.pdf"', 'a"b.pdf'),
        ("attachment; filename=old.pdf; filename*=UTF-8''gr%C3%BC%C3%9Fe.pdf", "grüße.pdf"),
        ("attachment; filename*=nonsense''x.pdf; filename=old.pdf", "old.pdf"),
        ("attachment; filename*=UTF-8''%FF; filename=old.pdf", "old.pdf"),
        ("attachment; filename*=idna''xn--a.pdf; filename=old.pdf", "old.pdf"),
        ("attachment; filename*=undefined''x.pdf; filename=old.pdf", "old.pdf"),
        ('attachment; filename="gr\u00c3\u00bc\u00c3\u009fe.pdf"', "grüße.pdf"),
        ('attachment; filename="gr\u00fc\u00dfe.pdf"', "grüße.pdf"),
        ("attachment; notfilename=x", ""),
        ("inline", ""),
        ("", ""),
    ],
)
def test_the_name_in_content_disposition_is_read_as_rfc_6266_has_it(disposition: str, name: str) -> None:
    assert filename_in(disposition) == name


@pytest.mark.parametrize(
    ("proposed", "name"),
    [
        ("../../etc/passwd", "passwd"),
        ("/etc/passwd", "passwd"),
        (r"C:\Windows\system32\evil.exe", "evil.exe"),
        ("..", ""),
        (".bashrc", "bashrc"),
        ("-rf", "rf"),
        ("a\x00b\x1b[31m.txt", "a_b_[31m.txt"),
        ("cod\u202egnp.exe", "cod_gnp.exe"),
        ("file.txt:stream", "file.txt_stream"),
        ("trailing. . ", "trailing"),
        ("x" * 238 + "." + "y" * 20, "x" * 238),
        ("folder/", ""),
        ("CON", "_CON"),
        ("aux.txt", "_aux.txt"),
        ("nul.tar.gz", "_nul.tar.gz"),
        ("Com1 .log", "_Com1 .log"),
        ("lpt².", "_lpt²"),
        ("conout$", "_conout$"),
        (".con", "_con"),
        ("nul:", "nul_"),
        ("con" + " " * 300 + "x", "_con"),
        ("console.txt", "console.txt"),
        ("com10", "com10"),
        ("a.con", "a.con"),
        ("a.sh.part", "a.sh_part"),
        ("a.sh.Part.JSON", "a.sh_Part.JSON"),
        ("a.part.part.json", "a.part_part.json"),
        ("a.part.gz", "a.part.gz"),
        ("ok name (1).tar.gz", "ok name (1).tar.gz"),
    ],
)
def test_a_name_of_others_is_only_a_name(proposed: str, name: str) -> None:
    assert safe(proposed) == name


@given(
    st.text()
    | st.builds("".join, st.lists(st.sampled_from(["con", "NUL", "com1", ".", " ", ":", "x" * 230])))
)
def test_whatever_is_proposed_stays_in_the_folder(proposed: str) -> None:
    name = safe(proposed)
    assert "/" not in name
    assert "\\" not in name
    assert not name.startswith((".", "-"))
    assert not name.endswith((".", " "))
    assert not re.match(r"(?i)(con|nul|com1) *(\.|$)", name)
    assert not name.lower().endswith((PART, NOTE))
    assert name.isprintable()
    assert len(name.encode()) <= LONGEST_NAME


def test_a_long_name_keeps_its_extension() -> None:
    assert safe("ü" * 300 + ".tar").endswith("ü.tar")
    assert len(safe("." + "x" * 300)) == LONGEST_NAME - 1
    assert len(safe("nul." + "x" * 300 + ".tar")) == LONGEST_NAME


@pytest.mark.parametrize(
    ("disposition", "url", "content_type", "name"),
    [
        ("attachment; filename=a.txt", "http://x/b.txt", "", "a.txt"),
        ("attachment; filename=..", "http://x/b.txt", "", "b.txt"),
        (None, "http://x/a/b%20c.txt?q=1", "", "b c.txt"),
        (None, "http://x/..%2f..%2fetc%2fpasswd", "", "passwd"),
        (None, "http://x/", "application/json", "index.json"),
        (None, "http://x/a/", "", "index.html"),
    ],
)
def test_a_download_is_named_by_the_server_or_else_by_its_url(
    disposition: str | None, url: str, content_type: str, name: str
) -> None:
    assert name_of(disposition, url, content_type) == name
