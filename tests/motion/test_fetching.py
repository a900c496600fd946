"""Downloads against a server on this machine: whole, interrupted, wrong, missing, and none at all."""

import hashlib
import http.server
import re
import socket
import threading
import urllib.parse

import pytest

from rlsuite.errors import FetchError, UnknownNameError
from rlsuite.motion import fetching

CONTENT = bytes(range(256)) * 900  # several blocks


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT as the path asks: /file, /short (breaks off), /plain (no ranges), /other (wrong bytes), …"""

    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):
        server, kind, asked = self.server, self.path.strip("/"), self.headers.get("Range")
        server.requests.append((kind, asked))
        if kind == "missing":
            self.send_error(404)
            return
        if kind.startswith("to="):
            self.send_response(302)
            self.send_header("Location", urllib.parse.unquote(kind[3:]))
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = CONTENT[::-1] if kind == "other" else CONTENT * 2 if kind == "long" else CONTENT
        start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked and kind != "plain" else 0
        if kind == "unsatisfiable" and start:
            self.send_error(416)
            return
        if start:
            self.send_response(206)
            first = start + 1 if kind == "wrong_range" else start
            self.send_header("Content-Range", f"bytes {first}-{len(body) - 1}/{len(body)}")
        else:
            self.send_response(200)
        rest = body[start:]
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        if kind == "short" and len(server.requests) == 1:
            self.wfile.write(rest[:100_000])
            self.close_connection = True
            return
        try:
            self.wfile.write(rest)
        except OSError:  # the other side has had enough
            self.close_connection = True


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.requests = []
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def publish(server, monkeypatch):
    """Puts one source into the catalogue as ``clip``, served in the way that its path says."""

    def put(kind, url=None):
        source = fetching.Source(
            url=url or f"http://127.0.0.1:{server.server_port}/{kind}",
            sha256=hashlib.sha256(CONTENT).hexdigest(),
            size=len(CONTENT),
            file="clip.bvh",
            description="a test",
            licence_name="none",
            licence="terms of the test",
            page="",
        )
        monkeypatch.setattr(fetching, "CATALOGUE", {"clip": source})
        return source

    return put


def test_a_file_is_fetched_checked_and_kept(publish, server, tmp_path):
    publish("file")
    seen = []
    fetched = fetching.fetch("clip", tmp_path / "new", progress=lambda done, whole: seen.append((done, whole)))
    assert fetched.path == tmp_path / "new/clip.bvh" and fetched.path.read_bytes() == CONTENT
    assert (fetched.cached, fetched.licence) == (False, "terms of the test")
    assert seen[-1] == (len(CONTENT), len(CONTENT)) and [p.name for p in fetched.path.parent.iterdir()] == ["clip.bvh"]
    assert fetching.fetch("clip", tmp_path / "new").cached and len(server.requests) == 1


def test_an_interrupted_transfer_goes_on_where_it_ended(publish, server, tmp_path):
    publish("short")
    with pytest.raises(FetchError, match="try again"):
        fetching.fetch("clip", tmp_path)
    assert not (tmp_path / "clip.bvh").exists()
    have = (tmp_path / "clip.bvh.part").stat().st_size
    assert 0 < have <= 100_000
    assert fetching.fetch("clip", tmp_path).path.read_bytes() == CONTENT
    assert server.requests == [("short", None), ("short", f"bytes={have}-")]
    assert not (tmp_path / "clip.bvh.part").exists()


@pytest.mark.parametrize("kind", ["plain", "unsatisfiable"])
def test_a_server_without_the_range_gives_all_of_it(publish, tmp_path, kind):
    publish(kind)
    (tmp_path / "clip.bvh.part").write_bytes(CONTENT[:5000])
    assert fetching.fetch("clip", tmp_path).path.read_bytes() == CONTENT


def test_a_wrong_range_is_refused_and_nothing_is_spoilt(publish, tmp_path):
    publish("wrong_range")
    (tmp_path / "clip.bvh.part").write_bytes(CONTENT[:5000])
    with pytest.raises(FetchError, match="wrong range"):
        fetching.fetch("clip", tmp_path)
    assert (tmp_path / "clip.bvh.part").read_bytes() == CONTENT[:5000]


@pytest.mark.parametrize("kind", ["other", "long"])
def test_another_file_than_expected_is_removed(publish, tmp_path, kind):
    source = publish(kind)
    with pytest.raises(FetchError, match=f"not the file that is expected, removed.*{source.sha256}"):
        fetching.fetch("clip", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_part_of_another_file_is_found_out(publish, tmp_path):
    publish("file")
    (tmp_path / "clip.bvh.part").write_bytes(b"x" * 5000)
    with pytest.raises(FetchError, match="not the file that is expected"):
        fetching.fetch("clip", tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert fetching.fetch("clip", tmp_path).path.read_bytes() == CONTENT


def test_a_part_longer_than_the_file_is_begun_anew(publish, server, tmp_path):
    publish("file")
    (tmp_path / "clip.bvh.part").write_bytes(b"x" * (len(CONTENT) + 1))
    assert fetching.fetch("clip", tmp_path).path.read_bytes() == CONTENT
    assert server.requests == [("file", None)]


def test_a_whole_part_only_needs_its_name(publish, server, tmp_path):
    publish("file")
    (tmp_path / "clip.bvh.part").write_bytes(CONTENT)
    assert fetching.fetch("clip", tmp_path).path.read_bytes() == CONTENT
    assert server.requests == []


def test_a_damaged_file_is_fetched_again(publish, tmp_path):
    publish("file")
    (tmp_path / "clip.bvh").write_bytes(CONTENT[:-1] + b"!")
    fetched = fetching.fetch("clip", tmp_path)
    assert not fetched.cached and fetched.path.read_bytes() == CONTENT


def test_a_missing_file_says_what_the_server_says(publish, tmp_path):
    publish("missing")
    with pytest.raises(FetchError, match=r"the server says 404 .*get it by hand"):
        fetching.fetch("clip", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_offline_one_line_says_what_to_do(publish, server, tmp_path):
    source = publish("file", url="http://127.0.0.1:9/file")  # the discard port: nobody listens
    with pytest.raises(FetchError) as told:
        fetching.fetch("clip", tmp_path)
    text = str(told.value)
    assert "\n" not in text
    for needed in ("cannot fetch clip.bvh", source.url, str(tmp_path / "clip.bvh"), source.sha256):
        assert needed in text
    assert list(tmp_path.iterdir()) == []


def test_only_https_is_fetched(publish, tmp_path):
    for url in ("http://example.org/clip", "file:///etc/hostname", "ftp://127.0.0.1/clip"):
        publish("file", url=url)
        with pytest.raises(FetchError, match="only https is fetched"):
            fetching.fetch("clip", tmp_path)


def test_redirects_stay_secure(publish, server, tmp_path):
    publish("to=" + urllib.parse.quote(f"http://127.0.0.1:{server.server_port}/file", safe=""))
    assert fetching.fetch("clip", tmp_path / "a").path.read_bytes() == CONTENT
    publish("to=" + urllib.parse.quote("http://example.org/clip", safe=""))
    with pytest.raises(FetchError, match="only https is fetched"):
        fetching.fetch("clip", tmp_path / "b")


def test_a_folder_that_cannot_be_is_told(publish, tmp_path):
    publish("file")
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(FetchError, match=r"cannot fetch clip\.bvh"):
        fetching.fetch("clip", tmp_path / "taken")


def test_names_are_checked():
    with pytest.raises(UnknownNameError, match="did you mean 'deepmimic-walk'"):
        fetching.fetch("deepmimic-wlak")


def test_the_cache_is_where_it_is_said_to_be(tmp_path, monkeypatch):
    monkeypatch.setenv("RLSUITE_CACHE_DIR", str(tmp_path))
    assert fetching.location("cmu-01_01") == tmp_path / "clips/01_01.bvh"
    monkeypatch.delenv("RLSUITE_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert fetching.cache_folder() == tmp_path / "xdg/rlsuite/clips"


def test_sources_are_pinned_and_licensed():
    for source in fetching.CATALOGUE.values():
        assert re.match(r"https://raw\.githubusercontent\.com/[^/]+/[^/]+/[0-9a-f]{40}/", source.url)
        assert re.fullmatch(r"[0-9a-f]{64}", source.sha256) and source.size > 0
        assert source.licence and source.licence_name and source.description and source.page.startswith("https://")
    assert len({source.file for source in fetching.CATALOGUE.values()}) == len(fetching.CATALOGUE)


@pytest.mark.parametrize("name", fetching.CATALOGUE)
def test_checksums_are_those_of_the_recordings(mocap, name):
    source = fetching.CATALOGUE[name]
    folder = "deepmimic/motions" if name.startswith("deepmimic") else "cmu/bvh"
    raw = (mocap / folder / source.file).read_bytes()
    assert (len(raw), hashlib.sha256(raw).hexdigest()) == (source.size, source.sha256)


def test_without_a_network_no_folder_is_left_and_no_number_told(publish, tmp_path, monkeypatch):
    def nowhere(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    publish("file", url="https://example.org/file")
    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    with pytest.raises(FetchError, match=r"there is no connection to example\.org \(") as told:
        fetching.fetch("clip", tmp_path / "clips")
    assert "Errno" not in str(told.value)
    assert not (tmp_path / "clips").exists()
