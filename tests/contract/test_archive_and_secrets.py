"""The archive gives back what it was given or says that it cannot; the keys name people and seal bytes."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from connectors.archive import CHUNK_BYTES, FolderArchive
from connectors.secrets import FileSecrets, make_key_file
from custody.errors import RetryLater, SealBroken, SettingsError


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def archive(tmp_path: Path, secrets: FileSecrets) -> FolderArchive:
    return FolderArchive(tmp_path / "archive", secrets)


def _kept(tmp_path: Path) -> list[Path]:
    """Every file of the archive but its locks, which are empty."""
    return [p for p in (tmp_path / "archive").rglob("*") if p.is_file() and (p.name != ".lock" or p.stat().st_size)]


@pytest.mark.parametrize("data", [b"", b"a", "张三,13812345678\n".encode("gb18030"), bytes(range(256)) * 4096])
def test_what_was_kept_is_read_back(archive: FolderArchive, data: bytes) -> None:
    reference = archive.keep(data, sha256(data))
    assert archive.read(reference) == data


def test_keeping_again_is_harmless_and_writes_nothing(archive: FolderArchive, tmp_path: Path) -> None:
    reference = archive.keep(b"abc", sha256(b"abc"))
    before = {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in _kept(tmp_path)}
    assert archive.keep(b"abc", sha256(b"abc")) == reference
    after = {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in _kept(tmp_path)}
    assert before == after
    assert len(before) == 2


def test_files_are_read_only_encrypted_and_whole(archive: FolderArchive, tmp_path: Path) -> None:
    data = b"13812345678" * 100
    archive.keep(data, sha256(data))
    files = _kept(tmp_path)
    assert sorted(p.suffix for p in files) == [".enc", ".key"]
    for path in files:
        assert path.stat().st_mode & 0o777 == 0o400
        assert b"13812345678" not in path.read_bytes()


def test_bytes_under_another_digest_are_refused(archive: FolderArchive) -> None:
    with pytest.raises(SealBroken):
        archive.keep(b"abc", sha256(b"abd"))


@pytest.mark.parametrize("suffix", [".enc", ".key"])
def test_a_flipped_bit_shows(archive: FolderArchive, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "archive" / f"{archive.keep(b'abc', sha256(b'abc'))}{suffix}"
    path.chmod(0o600)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(SealBroken):
        archive.read(f"{sha256(b'abc')[:2]}/{sha256(b'abc')}")


def test_a_file_put_in_anothers_place_shows(archive: FolderArchive, tmp_path: Path) -> None:
    one, two = archive.keep(b"one", sha256(b"one")), archive.keep(b"two", sha256(b"two"))
    for suffix in (".enc", ".key"):
        target = tmp_path / "archive" / f"{two}{suffix}"
        target.unlink()
        target.write_bytes((tmp_path / "archive" / f"{one}{suffix}").read_bytes())
    with pytest.raises(SealBroken):
        archive.read(two)


def test_what_was_never_kept_or_lost_its_key_is_said(archive: FolderArchive, tmp_path: Path) -> None:
    with pytest.raises(SealBroken, match="has no"):
        archive.read("ab/" + "ab" * 32)
    reference = archive.keep(b"gone", sha256(b"gone"))
    (tmp_path / "archive" / f"{reference}.key").unlink()
    with pytest.raises(SealBroken, match="has no"):
        archive.read(reference)


def test_a_crash_between_key_and_bytes_is_repaired_by_keeping_again(archive: FolderArchive, tmp_path: Path) -> None:
    reference = archive.keep(b"abc", sha256(b"abc"))
    (tmp_path / "archive" / f"{reference}.enc").unlink()
    with pytest.raises(SealBroken, match="has no"):
        archive.read(reference)
    archive.keep(b"abc", sha256(b"abc"))
    assert archive.read(reference) == b"abc"


LARGE = bytes(range(251)) * (3 * CHUNK_BYTES // 251)


def test_a_file_that_arrives_in_pieces_goes_on_where_it_stopped(archive: FolderArchive, tmp_path: Path) -> None:
    with archive.stage("P001", "a") as staged:
        for start in range(0, 2 * CHUNK_BYTES + 5, 10_000):
            staged.append(LARGE[start : start + 10_000])
    # Another process goes on: of the last chunk only what was whole is there, and a torn one counts for nothing.
    (path,) = (tmp_path / "archive" / "arriving" / "P001").glob("*.enc")
    with path.open("ab") as file:
        file.write(b"\x00\x10\x00")
    with archive.stage("P001", "a") as staged:
        assert staged.size == 2 * CHUNK_BYTES
        staged.append(LARGE[staged.size :])
        assert staged.keep() == (sha256(LARGE), f"{sha256(LARGE)[:2]}/{sha256(LARGE)}")
    assert archive.read(f"{sha256(LARGE)[:2]}/{sha256(LARGE)}") == LARGE
    assert max(map(len, archive.chunks(f"{sha256(LARGE)[:2]}/{sha256(LARGE)}"))) == CHUNK_BYTES
    # Kept in one piece it is the same file, and nothing is written again.
    assert archive.keep(LARGE, sha256(LARGE)) == f"{sha256(LARGE)[:2]}/{sha256(LARGE)}"
    assert [p.suffix for p in _kept(tmp_path)].count(".enc") == 1


def test_what_a_power_cut_left_of_an_arriving_file_is_begun_anew(archive: FolderArchive, tmp_path: Path) -> None:
    for damage in (".key", ".enc"):
        with archive.stage("P001", "a") as staged:
            staged.append(LARGE)
        (path,) = (tmp_path / "archive" / "arriving" / "P001").glob(f"*{damage}")
        data = bytearray(path.read_bytes())
        data[20] ^= 1
        path.write_bytes(data)
        with archive.stage("P001", "a") as staged:
            assert staged.size == 0
    archive.forget_stages("P001")
    assert _kept(tmp_path) == []


def test_one_process_at_a_time_takes_a_partys_files(archive: FolderArchive, tmp_path: Path, secrets: FileSecrets) -> None:
    other = FolderArchive(tmp_path / "archive", secrets)
    with archive.stage("P001", "a") as staged, other.stage("P002", "a"):
        staged.append(b"1")
        with pytest.raises(RetryLater, match="P001"), other.stage("P001", "b"):
            pass
        # What the bank writes itself waits for nobody's file.
        other.keep(b"ours", sha256(b"ours"))


def test_many_who_keep_the_same_bytes_at_once_keep_one_file_that_opens(tmp_path: Path, secrets: FileSecrets) -> None:
    def keep(number: int) -> str:
        with FolderArchive(tmp_path / "archive", secrets).stage(f"P{number}", "a") as staged:
            staged.append(b"the same")
            return staged.keep()[1]

    with ThreadPoolExecutor(8) as pool:
        (reference,) = set(pool.map(keep, range(32)))
    assert FolderArchive(tmp_path / "archive", secrets).read(reference) == b"the same"
    assert len(_kept(tmp_path)) == 2


def test_a_chunk_moved_repeated_or_left_out_shows(archive: FolderArchive, tmp_path: Path) -> None:
    reference = archive.keep(LARGE, sha256(LARGE))
    path = tmp_path / "archive" / f"{reference}.enc"
    path.chmod(0o600)
    whole = path.read_bytes()
    size = 4 + int.from_bytes(whole[:4])
    first, second, rest = whole[:size], whole[size : 2 * size], whole[2 * size :]
    for changed in (second + first + rest, first + second + second + rest, first + second, whole[:-1], whole + first):
        path.write_bytes(changed)
        with pytest.raises(SealBroken):
            archive.read(reference)


def test_another_instances_keys_open_nothing(archive: FolderArchive, tmp_path: Path) -> None:
    reference = archive.keep(b"abc", sha256(b"abc"))
    for name in ("identity.key", "master.key"):
        make_key_file(tmp_path / "other" / name)
    stranger = FileSecrets(tmp_path / "other" / "identity.key", tmp_path / "other" / "master.key")
    with pytest.raises(SealBroken, match="master key"):
        FolderArchive(tmp_path / "archive", stranger).read(reference)


def test_a_person_has_one_name_on_every_platform(secrets: FileSecrets) -> None:
    name = secrets.identity_digest("ID", "11010519491231002X")
    assert name == secrets.identity_digest("ID", "11010519491231002x")
    assert len(name) == 25
    assert name[0] == "C"
    assert name != secrets.identity_digest("USCC", "11010519491231002X")
    assert name != secrets.identity_digest("ID", "440524188001010014")


def test_the_name_cannot_be_had_without_the_key(secrets: FileSecrets, tmp_path: Path) -> None:
    make_key_file(tmp_path / "k2")
    other = FileSecrets(tmp_path / "k2", tmp_path / "keys" / "master.key")
    assert other.identity_digest("ID", "X") != secrets.identity_digest("ID", "X")


def test_sealing_is_repeatable_and_bound_to_key_and_context(secrets: FileSecrets) -> None:
    (key, wrapped), (other, _) = secrets.new_data_key(), secrets.new_data_key()
    assert secrets.unwrap(wrapped) == key
    sealed = secrets.seal(key, b"\x01plain", b"C1")
    assert sealed == secrets.seal(key, b"\x01plain", b"C1")
    assert secrets.open(key, sealed, b"C1") == b"\x01plain"
    assert secrets.open(key, secrets.seal(key, b"", b"C1"), b"C1") == b""
    for wrong_key, wrong_bytes, wrong_context in [(other, sealed, b"C1"), (key, sealed[:-1], b"C1"), (key, sealed, b"C2")]:
        with pytest.raises(SealBroken):
            secrets.open(wrong_key, wrong_bytes, wrong_context)


def test_a_key_file_is_private_and_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.key"
    make_key_file(path)
    first = path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    make_key_file(path)
    assert path.read_bytes() == first


@pytest.mark.parametrize("content", [None, "", "zz", "ab" * 31, "ab" * 33])
def test_what_is_no_key_stops(tmp_path: Path, content: str | None) -> None:
    make_key_file(tmp_path / "good.key")
    if content is not None:
        (tmp_path / "bad.key").write_text(content)
    with pytest.raises(SettingsError, match="bad.key"):
        FileSecrets(tmp_path / "good.key", tmp_path / "bad.key")
