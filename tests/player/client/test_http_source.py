"""The HTTP source on real sockets: the contract of sources, failing connections and faulty servers."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dynerf_format import ChangedError, DynerfError, RemoteError, Source
from dynerf_player.client.address import check_address, is_address
from dynerf_player.client.fetch_planner import Span
from dynerf_player.client.range_client import RetryPolicy
from dynerf_player.client.source import ClientLimits, HttpSource
from support.link import Fault, Link, http, serving
from support.sources import DATA, SourceContract
from support.tls import self_signed

QUICK = RetryPolicy(attempts=3, pause=0.001, longest=0.002, connect=2.0, stall=0.3)
FIRST = 16 * 1024


@pytest.fixture
def link() -> Iterator[Link]:
    with serving(DATA) as link:
        yield link


@pytest.fixture
def source(link: Link) -> Iterator[HttpSource]:
    with HttpSource(link.address, QUICK) as source:
        yield source


class TestHttpSource(SourceContract):
    @pytest.fixture
    def source(self, link: Link) -> Iterator[Source]:
        with HttpSource(link.address, QUICK) as source:
            source.read(0, len(DATA))
            yield source


class TestHttpSourceWithoutRanges(SourceContract):
    @pytest.fixture
    def source(self) -> Iterator[Source]:
        with serving(DATA, ranges=False) as link, HttpSource(link.address, QUICK) as source:
            yield source


def test_opening_is_one_request_of_16_kib(link: Link, source: HttpSource) -> None:
    assert source.read(0, FIRST) == DATA[:FIRST]
    assert link.requests == [(0, FIRST)]
    assert source.stats().fetched == FIRST
    assert source.stats().requests == 1


def test_cached_bytes_are_not_fetched_again(link: Link, source: HttpSource) -> None:
    assert source.read(FIRST - 10, 30) == DATA[FIRST - 10 : FIRST + 20]
    assert source.read(FIRST - 10, 30) == DATA[FIRST - 10 : FIRST + 20]
    assert source.read(FIRST - 20, 60) == DATA[FIRST - 20 : FIRST + 40]
    assert link.requests[1:] == [(FIRST, FIRST + 20), (FIRST + 20, FIRST + 40)]


def test_a_fetch_in_flight_is_shared(link: Link, source: HttpSource) -> None:
    link.delay = 0.05
    readers = [threading.Thread(target=source.read, args=(30000, 1000)) for _ in range(8)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert link.requests[1:] == [(30000, 31000)]


def test_an_abandoned_fetch_is_finished_and_kept(link: Link, source: HttpSource) -> None:
    link.delay = 0.05
    waiting = source.ensure([Span(40000, 50000)])
    while len(link.requests) < 2:
        pass
    waiting.cancel()
    assert source.read(40000, 10000) == DATA[40000:50000]
    assert link.requests[1:] == [(40000, 50000)]


def test_the_cache_stays_within_its_limit(link: Link) -> None:
    with HttpSource(link.address, QUICK, ClientLimits(cache=20000)) as source:
        for offset in range(0, 60000, 3000):
            assert source.read(offset, 3000) == DATA[offset : offset + 3000]
        assert source.stats().held <= 20000
        assert source.read(0, len(DATA)) == DATA  # longer than the cache


def test_an_interrupted_transfer_resumes_where_it_stopped(link: Link, source: HttpSource) -> None:
    link.cut = 5000
    assert source.read(20000, 22000) == DATA[20000:42000]
    assert link.requests[1:] == [(start, 42000) for start in range(20000, 42000, 5000)]


def replaced(old: str, new: str) -> Fault:
    return lambda response: response.replace(old.encode(), new.encode(), 1)


TRANSIENT: dict[str, Fault] = {
    "no response": lambda _: None,
    "half a head": lambda response: response[:20],
    "short body": lambda response: response[:-7],
    "500": lambda _: http("500 Internal Server Error", b"oops"),
    "503 with Retry-After": lambda _: http("503 Service Unavailable", b"", "Retry-After: 0"),
    "429": lambda _: http("429 Too Many Requests"),
}


@pytest.mark.parametrize("fault", TRANSIENT)
def test_transient_faults_are_retried(link: Link, source: HttpSource, fault: str) -> None:
    link.faults = [TRANSIENT[fault], TRANSIENT[fault]]
    assert source.read(20000, 3000) == DATA[20000:23000]
    assert len(link.requests) == 4


@pytest.mark.parametrize("fault", TRANSIENT)
def test_a_lasting_fault_is_raised_after_some_attempts(link: Link, source: HttpSource, fault: str) -> None:
    link.always = TRANSIENT[fault]
    with pytest.raises(RemoteError, match=r"clip\.dnv: .*gave up after [34] attempts"):
        source.read(20000, 500)
    link.always = None
    assert source.read(20000, 500) == DATA[20000:20500]  # the source still works


def test_a_server_that_does_not_respond_times_out(link: Link, source: HttpSource) -> None:
    link.delay = 60.0
    with pytest.raises(RemoteError, match="does not respond in time"):
        source.read(20000, 500)


INVALID: dict[str, tuple[Fault, str]] = {
    "other range": (replaced("bytes 20000-", "bytes 20001-"), "sends bytes 20001 to 20500, expected 20000"),
    "longer range": (replaced("-20499/", "-20500/"), "expected 20000 to 20500"),
    "no range": (replaced("Content-Range", "X-Range"), "Content-Range ''"),
    "no number": (replaced("bytes 20000", "bytes many"), "Content-Range 'bytes many"),
    "unknown size": (replaced(f"/{len(DATA)}", "/*"), "Content-Range"),
    "huge number": (replaced(f"/{len(DATA)}", "/" + "9" * 50), "Content-Range"),
    "wrong length": (replaced("Content-Length: 500", "Content-Length: 600"), "announces 600 bytes"),
    "compressed": (replaced("ETag", "Content-Encoding: gzip\r\nETag"), "compresses the file"),
    "forbidden": (lambda _: http("403 Forbidden"), "403 Forbidden, expected 206"),
    "gone": (lambda _: http("404 Not Found"), "no such file"),
    "no HTTP": (lambda _: b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "response is not valid HTTP"),
    "redirects": (lambda _: http("302 Found", b"", "Location: /"), "more than 5 redirects"),
    "other scheme": (lambda _: http("302 Found", b"", "Location: file:///etc/passwd"), "not http or https"),
}


@pytest.mark.parametrize("case", INVALID)
def test_an_invalid_response_is_refused(link: Link, source: HttpSource, case: str) -> None:
    link.always, message = INVALID[case]
    with pytest.raises(RemoteError, match=message) as caught:
        source.read(20000, 500)
    assert len(str(caught.value)) < 250
    assert str(caught.value).isprintable()


def test_extra_bytes_are_refused(link: Link, source: HttpSource) -> None:
    link.always = replaced("Content-Length: 500", "X: y")  # the body now ends with the connection
    assert source.read(20000, 500) == DATA[20000:20500]
    link.always = lambda response: response.replace(b"Content-Length: 500", b"X: y") + b"more"
    with pytest.raises(RemoteError, match="more bytes than"):
        source.read(30000, 500)


@pytest.mark.parametrize("honours_if_match", [True, False])
@pytest.mark.parametrize("etag", ['"one"', 'W/"one"'])
def test_a_replaced_file_is_detected_and_never_mixed(etag: str, honours_if_match: bool) -> None:
    with (
        serving(DATA, etag=etag, honours_if_match=honours_if_match) as link,
        HttpSource(link.address, QUICK) as source,
    ):
        link.replace(bytes(len(DATA)), etag.replace("one", "two"))
        with pytest.raises(ChangedError, match="the file was replaced"):
            source.read(20000, 500)
        link.replace(DATA, etag)  # the source stays unusable
        with pytest.raises(ChangedError):
            source.read(20000, 500)
        assert len(link.requests) == 2


def test_a_replacement_between_two_attempts_is_detected(link: Link, source: HttpSource) -> None:
    def replace(response: bytes) -> bytes:
        link.replace(bytes(len(DATA)), '"two"')
        return response[:-100]

    link.faults = [replace]
    with pytest.raises(ChangedError):
        source.read(20000, 500)


def test_another_size_is_detected_without_an_etag() -> None:
    with serving(DATA, etag=None) as link, HttpSource(link.address, QUICK) as source:
        link.data += b"more"
        with pytest.raises(ChangedError):
            source.read(20000, 500)


def test_a_check_detects_a_replacement_when_all_bytes_are_cached(link: Link, source: HttpSource) -> None:
    source.read(0, len(DATA))
    source.check().result()
    link.replace(DATA, '"two"')
    with pytest.raises(ChangedError):
        source.check().result()


def test_a_server_without_ranges_sends_the_whole_file_once() -> None:
    with serving(DATA, ranges=False) as link, HttpSource(link.address, QUICK) as source:
        assert source.read(50000, 10000) == DATA[50000:60000]
        assert len(link.requests) == 1


@pytest.mark.parametrize("length", ["Content-Length", "X-Length"])
def test_a_long_file_without_ranges_is_refused(length: str) -> None:
    with serving(DATA, ranges=False) as link:
        link.always = replaced("Content-Length", length)
        with pytest.raises(RemoteError, match=r"ignores range requests.*at most 60000 bytes"):
            HttpSource(link.address, QUICK, ClientLimits(whole=60000))


def test_a_whole_file_that_arrives_short_is_fetched_again() -> None:
    with serving(DATA, ranges=False) as link:
        link.faults = [lambda response: response[:-1000]]
        with HttpSource(link.address, QUICK) as source:
            assert source.read(0, len(DATA)) == DATA


def test_redirects_are_followed_and_remembered(link: Link) -> None:
    target = link.address.replace("clip.dnv", "elsewhere.dnv")
    link.faults = [lambda _: http("302 Found", b"", f"Location: {target}", "Connection: close")]
    with HttpSource(link.address, QUICK) as source:
        assert source.read(20000, 500) == DATA[20000:20500]
        assert len(link.requests) == 3
        # The target of the redirect has expired: back to the original address.
        link.faults = [lambda _: http("403 Forbidden")]
        assert source.read(30000, 500) == DATA[30000:30500]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (lambda _: http("404 Not Found"), r"no such file on the server \(404\)"),
        (lambda _: http("416 Range Not Satisfiable"), "empty"),
        (lambda _: http("401 Unauthorized"), "401 Unauthorized"),
    ],
)
def test_opening_a_missing_file(link: Link, fault: Fault, message: str) -> None:
    link.always = fault
    with pytest.raises(RemoteError, match=message):
        HttpSource(link.address, QUICK)
    assert len(link.requests) == 1


def test_a_closed_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(RemoteError, match=r"/clip\.dnv: no connection to the server"):
        HttpSource(f"http://127.0.0.1:{port}/clip.dnv?token=secret", QUICK)


def test_a_connection_timeout_is_not_retried_on_opening() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, contextlib.ExitStack() as others:
        for _ in range(4):  # fill the backlog of a server that accepts no connections
            other = others.enter_context(socket.socket())
            other.setblocking(False)
            other.connect_ex(full.getsockname())
        with pytest.raises(RemoteError, match=r"no connection to the server in 0\.2 s"):
            HttpSource(f"http://127.0.0.1:{full.getsockname()[1]}/clip.dnv", replace(QUICK, connect=0.2))


def test_a_self_signed_certificate_is_refused(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*self_signed(tmp_path))
    with serving(DATA, tls=context) as link, pytest.raises(RemoteError, match="no secure connection"):
        HttpSource(link.address, QUICK)


def test_many_sources_and_reads_leak_no_files(link: Link) -> None:
    def work() -> int:
        for number in range(20):
            with HttpSource(link.address, QUICK) as source:
                for step in range(10):
                    offset = (number * 7919 + step * 104729) % 60000
                    assert source.read(offset, 50) == DATA[offset : offset + 50]
        return len(list(Path("/proc/self/fd").iterdir()))

    assert work() >= work() - 4


def test_reading_a_closed_source_raises(link: Link) -> None:
    source = HttpSource(link.address, QUICK)
    source.close()
    source.close()
    with pytest.raises(ValueError, match="closed source"):
        source.read(20000, 5)


@pytest.mark.parametrize("text", ["http://a/b.dnv", "HTTPS://a", "ftp://a/b", "file:///etc/passwd"])
def test_addresses_are_distinguished_from_paths(text: str) -> None:
    assert is_address(text)
    assert not is_address(text.replace("://", ":"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ftp://a/b.dnv", "only http and https"),
        ("file:///etc/passwd", "only http and https"),
        ("http:///b.dnv", "has no host"),
        ("http://a:0/", "has no host"),
        ("http://a:99999/", "not valid"),
        ("http://[::1/", "not valid"),
        ("http://user:secret@a/b.dnv", r"http://a/b\.dnv: a user name"),
        ("http://a/b c.dnv", "spaces"),
        ("http://a/\r\nHost: b", "control characters"),
        ("http://a/" + "b" * 3000, "at most 2048"),
    ],
)
def test_invalid_addresses_are_refused(text: str, message: str) -> None:
    with pytest.raises(DynerfError, match=message) as caught:
        check_address(text)
    assert "secret" not in str(caught.value)
    assert str(caught.value).isprintable()
