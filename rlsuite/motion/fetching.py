"""Openly licensed recordings from where their authors publish them: pinned by commit, checked by SHA-256, resumable.

A transfer goes into ``NAME.part`` beside the file; a later one goes on from there with an HTTP range. Only when length and
checksum are right does the file take its name, so a file that is there is whole.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from types import MappingProxyType
from typing import Any

from rlsuite import cache_folder as suite_cache
from rlsuite.errors import FetchError, UnknownNameError

TIMEOUT = 30.0  # seconds without a byte
_BLOCK = 1 << 16
_LOCAL = ("127.0.0.1", "localhost", "::1")

MIT = """MIT License. Copyright (c) {year} {owner}.
Permission is granted, free of charge, to use, copy, modify, merge, publish, distribute, sublicense and sell copies, \
provided that the copyright notice and the permission notice are included in all copies or substantial portions. \
The data is provided "as is", without warranty of any kind."""
CMU = """The data was obtained from mocap.cs.cmu.edu; the database was created with funding from NSF EIA-0196217. It is \
free for use in research and commercial projects and may be included in products, but may not be resold directly, even in \
converted form."""


@dataclass(frozen=True)
class Source:
    """A recording that can be fetched.

    Attributes:
        url: pinned by commit. sha256: of the whole file. size: in bytes. file: its name here.
        description: one line. licence_name: short. licence: its terms, as text. page: where people read about it.
    """

    url: str
    sha256: str
    size: int
    file: str
    description: str
    licence_name: str
    licence: str
    page: str


@dataclass(frozen=True)
class Fetched:
    """What :func:`fetch` gives: the file, its source with the licence, and whether it was there already."""

    path: Path
    source: Source
    cached: bool

    @property
    def licence(self) -> str:
        return self.source.licence


def _sources() -> dict[str, Source]:
    deepmimic = "1f915c52fcd4b95b5f5f15b759ae91bd81e9a801"
    clips = {
        "backflip": ("ffc5e117f69364e239eeedc86d6a30ab854500a375a1c137a405f1b7652905e6", 13536),
        "cartwheel": ("17453459a40ec4ea08346072748ae3c7c384b49e619753e9779637fa8a9f7c49", 75101),
        "crawl": ("104a3b675131a43e7a214e24c0ed631c6a0d814b85c8b66b71ce63b23a5731ae", 80707),
        "dance_a": ("15ef3731f594edc9ed078170f1075815cc164acaca9e35a46db12a31ac64b717", 90879),
        "getup_facedown": ("1bd1a96e9175f65eb66e10f225473b4467bd70c68e283f4006b2ab090e337c0b", 169673),
        "getup_faceup": ("5936c32d51dad9b0cd5e61df681079d160436cdce845c312f200d7a347c4040d", 210461),
        "jump": ("a433557e94b193d8a95530572a0e32f387eb6d9996987b4216efb65444c3c641", 99221),
        "kick": ("177cfb399466309ba7f4a8a987c3b6f6edde1cbe8b2d476e53dc6061ec5d4bac", 43601),
        "punch": ("1ab4b654cecdb4ff3b2a4bf4086e50397bef28435bb59ab3aedd6a6bdc926fde", 60287),
        "roll": ("50d75c2243b2859f8dcae4ad8fa14b59054dd9ee529b4fb52ec14470cd982c55", 55136),
        "run": ("2cbe488023b243e5769299158ce7c78875ec4b701a2ffe6c0beeaf83d16ca87b", 23284),
        "spin": ("9614f10b92e7a8b123990ad5bcfafc65aa4d8fa8ac7f10ade3c3591122d34425", 49517),
        "spinkick": ("e293f84c00e5a3cefaf8e9e9952ac39cfcdc8a9d445b5c1d24c67a271c97d43c", 72338),
        "stealthy_walk": ("7db28ee85721eea0ae44c3e726fb48bb5532d38f5d9aff8e18d791227476f5bb", 90066),
        "walk": ("32d082c3599bc40aac50b1afa196ff1e2cf3842bb40f0541ab088845f6328a41", 36185),
    }
    found = {}
    for name, (digest, size) in clips.items():
        file = f"humanoid3d_{name}.txt"
        found[f"deepmimic-{name}"] = Source(
            url=f"https://raw.githubusercontent.com/xbpeng/DeepMimic/{deepmimic}/data/motions/{file}",
            sha256=digest,
            size=size,
            file=file,
            description=f"{name.replace('_', ' ')} (DeepMimic JSON)",
            licence_name="MIT",
            licence=MIT.format(year=2018, owner="Xue Bin Peng"),
            page="https://github.com/xbpeng/DeepMimic",
        )
    found["cmu-131_01"] = Source(
        url="https://raw.githubusercontent.com/yuki-koyama/bvh11/c9072174fe89e0bf9776a092179b464ea39975e5"
        "/resources/131_01.bvh",
        sha256="525a261b085d44ea302205f7bbdf824c20ca8256b9e0797aeae43183326fce27",
        size=716137,
        file="131_01.bvh",
        description="start, walk, stop (BVH)",
        licence_name="CMU free use; MIT",
        licence=CMU + "\nThe file as distributed: " + MIT.format(year=2018, owner="Yuki Koyama"),
        page="https://github.com/yuki-koyama/bvh11",
    )
    found["cmu-01_01"] = Source(
        url="https://raw.githubusercontent.com/facebookresearch/fairmotion/e400e564deac93bb74ffecd9c366d76b3406e217"
        "/tests/data/01_01.bvh",
        sha256="1d9ee909452ee62784306545cf1fcd634243db1173e0c90cecbed793e50361a8",
        size=2070355,
        file="01_01.bvh",
        description="playground: forward jumps, turn around (BVH)",
        licence_name="CMU free use; BSD-3",
        licence=CMU + "\nThe file as distributed: BSD 3-clause, Copyright (c) Facebook, Inc. and its affiliates.",
        page="https://github.com/facebookresearch/fairmotion",
    )
    return found


CATALOGUE: Mapping[str, Source] = MappingProxyType(_sources())


def cache_folder() -> Path:
    """Where fetched clips live: ``$RLSUITE_CACHE_DIR`` (default ``~/.cache/rlsuite``), folder ``clips``."""
    return suite_cache.cache_folder("clips")


def location(name: str, folder: str | Path | None = None) -> Path:
    """Where the clip ``name`` is, or would be.

    Raises:
        UnknownNameError: no clip is called so.
    """
    if name not in CATALOGUE:
        raise UnknownNameError("clip to fetch", name, CATALOGUE, f"there are {', '.join(CATALOGUE)}")
    return (cache_folder() if folder is None else Path(folder)) / CATALOGUE[name].file


def fetch(
    name: str, folder: str | Path | None = None, *, progress: Callable[[int, int], None] | None = None
) -> Fetched:
    """The recording ``name``, from the folder when it is there whole, otherwise from its author.

    Args:
        folder: default :func:`cache_folder`. progress: called with the bytes there so far and those of the whole file.

    Raises:
        UnknownNameError: no clip is called so.
        FetchError: no connection, no such file there, or a wrong checksum; nothing unfinished keeps the clip's name.
    """
    path, source = location(name, folder), CATALOGUE[name]
    if path.is_file():
        if _digest(path) == source.sha256:
            return Fetched(path, source, cached=True)
        path.unlink()  # damaged since: get it again
    return Fetched(download(source, path, progress), source, cached=False)


def download(source: Source, path: Path, progress: Callable[[int, int], None] | None = None) -> Path:
    """Get ``source`` into ``path``, going on from what an earlier transfer left in ``path.part``.

    Raises:
        FetchError: see :func:`fetch`.
    """
    part = path.with_name(path.name + ".part")
    by_hand = f"get it by hand: {source.url} -> {path} (sha256 {source.sha256})"
    try:
        if part.is_file() and part.stat().st_size > source.size:
            part.unlink()
        _transfer(source, part, progress)
    except urllib.error.HTTPError as error:
        error.close()
        raise FetchError(f"{source.url}: the server says {error.code} {error.reason}; {by_hand}") from error
    except (OSError, HTTPException, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        host = urllib.parse.urlsplit(source.url).hostname
        if isinstance(reason, socket.gaierror):
            reason = f"there is no connection to {host} (its address cannot be looked up)"
        elif isinstance(reason, OSError) and reason.strerror and isinstance(error, urllib.error.URLError):
            reason = f"there is no connection to {host} ({reason.strerror})"
        raise FetchError(f"cannot fetch {source.file}: {_one_line(reason)}; try again, or {by_hand}") from error
    got = part.stat().st_size
    if got < source.size:
        raise FetchError(
            f"cannot fetch {source.file}: the connection ended at {got} of {source.size} bytes; "
            f"try again to go on, or {by_hand}"
        )
    digest = _digest(part)
    if got != source.size or digest != source.sha256:
        part.unlink()
        raise FetchError(
            f"{source.url}: not the file that is expected, removed: {got} bytes with sha256 {digest}, "
            f"expected {source.size} with {source.sha256}"
        )
    os.replace(part, path)
    return path


def _transfer(source: Source, part: Path, progress: Callable[[int, int], None] | None) -> None:
    """Append what is missing to ``part``; a server that ignores the range gives the whole file anew."""
    have = part.stat().st_size if part.is_file() else 0
    if have == source.size:
        return
    _require_secure(source.url)
    request = urllib.request.Request(source.url, headers={"User-Agent": "rlsuite", "Accept-Encoding": "identity"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        response = _OPENER.open(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not have:
            raise
        error.close()
        part.unlink()  # what is there is not the beginning of this file
        return _transfer(source, part, progress)
    with response:
        goes_on = response.status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        if response.status == 206 and not goes_on:
            raise OSError(f"the server sent the wrong range {response.headers.get('Content-Range')!r}")
        have = have if goes_on else 0
        part.parent.mkdir(parents=True, exist_ok=True)  # not before: without a connection no folder is left behind
        with part.open("ab" if goes_on else "wb") as file:
            while have <= source.size and (block := response.read(min(_BLOCK, source.size + 1 - have))):
                file.write(block)
                have += len(block)
                if progress is not None:
                    progress(min(have, source.size), source.size)
            file.flush()
            with contextlib.suppress(OSError):
                os.fsync(file.fileno())


def _require_secure(url: str) -> None:
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOCAL):
        raise OSError(f"{url}: only https is fetched")


class _SecureRedirects(urllib.request.HTTPRedirectHandler):
    """Redirects lead to https, or stay on this machine."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        try:
            _require_secure(newurl)
        except OSError:
            fp.close()
            raise
        return super().redirect_request(req, fp, code, msg, headers, newurl)


_OPENER = urllib.request.build_opener(_SecureRedirects())


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _one_line(value: object) -> str:
    return " ".join(str(value).split()) or type(value).__name__
