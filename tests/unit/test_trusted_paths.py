"""What somebody else could have written is refused; what is mounted as it should be is read."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from seamless_wallet.trusted_paths import UntrustedPath, check_directory, check_entries, open_trusted

STRANGER = 4711
OUR_USER = 4712
GROUP = 2000
"""Numbers without names."""

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


def text_of(path: Path) -> str:
    """What is in a trusted file."""
    with os.fdopen(open_trusted(path), "rb") as file:
        return file.read().decode()


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file that only we may read."""
    path = tmp_path / "secret"
    path.write_text("s3cret")
    path.chmod(0o600)
    return path


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory that every user may enter. pytest's own are private."""
    path = Path(tempfile.mkdtemp(prefix="wallet-test-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def as_user(user: int, groups: list[int], call: Callable[[], object]) -> str:
    """What a call comes to in a process of another user: `ok`, or the name of its error and its text."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups(groups)
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
            call()
            told = "ok"
        except BaseException as error:  # noqa: BLE001 - it is told
            told = f"{type(error).__name__}: {error}"
        os.write(writing, told.encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading, "rb") as told_by_child:
        return told_by_child.read().decode()


def test_a_file_of_ours_is_read(secret: Path) -> None:
    """Private, or readable by everybody: who may read it is not what this is about."""
    assert text_of(secret) == "s3cret"
    secret.chmod(0o444)
    assert text_of(secret) == "s3cret"


def test_a_relative_path_and_its_dots_are_followed(secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the working directory, as `open` does."""
    (secret.parent / "below").mkdir()
    monkeypatch.chdir(secret.parent / "below")
    assert text_of(Path("../below/.././secret")) == "s3cret"


@pytest.mark.parametrize("mode", [0o602, 0o666, 0o622])
def test_a_file_that_everybody_may_write_is_refused(secret: Path, mode: int) -> None:
    """Whoever wrote it last is not known."""
    secret.chmod(mode)
    with pytest.raises(UntrustedPath, match=rf"^{secret} is writable by everybody; run `chmod o-w` on it"):
        open_trusted(secret)


@root_only
def test_a_file_of_somebody_else_is_refused(secret: Path) -> None:
    """A planted token, say, is not taken, and the line says whose it is."""
    os.chown(secret, STRANGER, 0)
    with pytest.raises(UntrustedPath, match=f"^{secret} belongs to user {STRANGER}, neither to root nor to the user"):
        open_trusted(secret)


@root_only
def test_a_file_that_another_group_may_write_is_refused(secret: Path) -> None:
    """A group that may only read is fine, and so is one that we are in."""
    os.chown(secret, 0, GROUP)
    secret.chmod(0o640)
    assert text_of(secret) == "s3cret"
    secret.chmod(0o660)
    with pytest.raises(UntrustedPath, match=f"^{secret} is writable by group {GROUP}, which this process is not in"):
        open_trusted(secret)


@pytest.mark.parametrize("mode", [0o777, 0o707])
def test_a_directory_on_the_way_that_everybody_may_write_is_refused(secret: Path, mode: int) -> None:
    """Anybody could put another file in its place. If it is sticky nobody can."""
    secret.parent.chmod(mode)
    with pytest.raises(UntrustedPath, match=rf"^{secret.parent} is writable by everybody"):
        open_trusted(secret)
    secret.parent.chmod(mode | stat.S_ISVTX)
    assert text_of(secret) == "s3cret"
    with pytest.raises(UntrustedPath, match=rf"^{secret.parent} is writable by everybody"):
        check_directory(secret.parent)
    secret.parent.chmod(0o700)
    check_directory(secret.parent)


@root_only
def test_a_directory_on_the_way_that_is_somebody_elses_is_refused(secret: Path) -> None:
    """Sticky or not: its owner may replace what is in it."""
    os.chown(secret.parent, STRANGER, 0)
    for mode in (0o755, 0o1777):
        secret.parent.chmod(mode)
        with pytest.raises(UntrustedPath, match=rf"^{secret.parent} belongs to user {STRANGER}"):
            open_trusted(secret)
        with pytest.raises(UntrustedPath, match=rf"^{secret.parent} belongs to user {STRANGER}"):
            check_directory(secret.parent)


@root_only
def test_a_link_of_somebody_else_is_refused_wherever_it_stands(secret: Path, public: Path) -> None:
    """In a sticky directory anybody may make one, to any file of ours; as the last part of a path, or within it."""
    public.chmod(0o1777)
    for name, target in (("planted", secret), ("planted-directory", secret.parent)):
        (public / name).symlink_to(target)
        os.chown(public / name, STRANGER, STRANGER, follow_symlinks=False)
    for path in (public / "planted", public / "planted-directory" / "secret"):
        with pytest.raises(UntrustedPath, match=f"planted.* belongs to user {STRANGER}"):
            open_trusted(path)
    with pytest.raises(UntrustedPath, match=f"planted-directory belongs to user {STRANGER}"):
        check_directory(public / "planted-directory")
    with pytest.raises(UntrustedPath, match=f"planted belongs to user {STRANGER}"):
        check_entries(public, ("absent", "planted"))


def test_links_of_ours_are_followed_to_their_end(secret: Path, tmp_path: Path) -> None:
    """Absolute and relative ones, in files and directories, but not for ever."""
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "relative").symlink_to("../secret")
    (tmp_path / "links" / "absolute").symlink_to(tmp_path / "links" / "relative")
    (tmp_path / "directory").symlink_to("links")
    assert text_of(tmp_path / "directory" / "absolute") == "s3cret"
    check_directory(tmp_path / "directory")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError, match="Too many levels"):
        open_trusted(tmp_path / "loop")
    secret.chmod(0o666)
    with pytest.raises(UntrustedPath, match=f"^{secret} is writable by everybody"):
        open_trusted(tmp_path / "directory" / "absolute")


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    """A pipe without a writer does not hang the start, a directory and a device are no secrets."""
    os.mkfifo(tmp_path / "pipe", 0o600)
    assert text_of(tmp_path / "pipe") == ""
    with pytest.raises(UntrustedPath, match="is neither a file nor a pipe"):
        open_trusted(tmp_path)
    with pytest.raises(UntrustedPath):
        open_trusted(Path("/dev/null"))
    with pytest.raises(FileNotFoundError):
        open_trusted(tmp_path / "absent")
    with pytest.raises(FileNotFoundError):
        check_directory(tmp_path / "absent" / "below")
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        check_directory(tmp_path / "file")
    with pytest.raises(NotADirectoryError):
        open_trusted(tmp_path / "file" / "below")


def test_a_pipe_of_the_shell_is_read() -> None:
    """`--api-key-file <(command)` names /dev/fd/63, which leads to no path."""
    reading, writing = os.pipe()
    os.write(writing, b"s3cret")
    os.close(writing)
    assert text_of(Path(f"/dev/fd/{reading}")) == "s3cret"
    os.close(reading)


MOUNTS = {
    "without fsGroup": (0o1777, 0o755, 0o444, 0),
    "readable by root's group": (0o1777, 0o755, 0o444, 0),
    "with fsGroup": (0o3777, 0o2755, 0o440, GROUP),
    "with fsGroup and mode 0640": (0o3777, 0o2755, 0o640, GROUP),
    "with fsGroup and mode 0660": (0o3777, 0o2775, 0o660, GROUP),
}


@root_only
@pytest.mark.parametrize(("mount", "directory", "file", "group"), MOUNTS.values(), ids=MOUNTS)
def test_mounted_secrets_of_kubernetes_are_read(
    public: Path, mount: int, directory: int, file: int, group: int
) -> None:
    """Links `token → ..data/token` and `..data → ..2024_…`, all of root, read by a user whose group is fsGroup."""
    dated = public / "..2024_05_06_07_08_09.123456789"
    dated.mkdir()
    token = dated / "token"
    token.write_text("s3cret")
    (public / "..data").symlink_to(dated.name)
    (public / "token").symlink_to("..data/token")
    for path, mode in ((token, file), (dated, directory), (public, mount)):
        os.chown(path, 0, group)
        path.chmod(mode)

    def read() -> None:
        assert text_of(public / "token") == "s3cret"

    assert as_user(OUR_USER, [group] if group else [], read) == "ok"


@root_only
def test_a_volume_of_our_group_is_written(public: Path) -> None:
    """`drwxrwsr-x root fsGroup`, as a persistent volume is mounted; for a user outside the group it is not safe."""
    os.chown(public, 0, GROUP)
    public.chmod(0o2775)
    assert as_user(OUR_USER, [GROUP], lambda: check_directory(public)) == "ok"
    told = as_user(OUR_USER, [], lambda: check_directory(public))
    assert told.startswith(f"UntrustedPath: {public} is writable by group {GROUP}, which this process is not in")


@root_only
def test_a_user_trusts_root_and_themself_but_nobody_else(public: Path) -> None:
    """Files of three owners, read by one of them."""
    for owner in (0, OUR_USER, STRANGER):
        path = public / str(owner)
        path.write_text("x")
        os.chown(path, owner, owner)
    for owner, told in ((0, "ok"), (OUR_USER, "ok"), (STRANGER, "UntrustedPath")):
        path = public / str(owner)
        assert as_user(OUR_USER, [], partial(text_of, path)).partition(":")[0] == told


@root_only
def test_nobody_can_change_a_part_between_check_and_use(secret: Path, tmp_path: Path, monkeypatch) -> None:
    """A directory that is swapped while it is being followed: what is read is what was checked."""
    (tmp_path / "good").mkdir()
    (tmp_path / "good" / "token").write_text("good")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "token").write_text("bad")
    os.chown(tmp_path / "bad" / "token", STRANGER, STRANGER)
    fstat = os.fstat

    def swap(descriptor: int) -> os.stat_result:
        found = fstat(descriptor)
        if os.path.samestat(found, (tmp_path / "good").stat()) and not (tmp_path / "gone").exists():
            (tmp_path / "good").rename(tmp_path / "gone")
            (tmp_path / "bad").rename(tmp_path / "good")
        return found

    monkeypatch.setattr(os, "fstat", swap)
    assert text_of(tmp_path / "good" / "token") == "good"
