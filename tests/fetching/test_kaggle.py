"""Kaggle's real client against a server of ours that speaks its API."""

import json
import os
import random
import resource
import subprocess
import sys
import time
import traceback
import zipfile
from pathlib import Path

import pytest

from deepfake_ensemble.fetching import kaggle
from deepfake_ensemble.fetching.http import RetryPolicy
from deepfake_ensemble.foundation.errors import UserError
from file_server import FINE, Fault
from kaggle_server import KEY, REFRESH_TOKEN, SIGNATURE, TOKEN, USERNAME, KaggleServer, serve

SLUG = "owner/set-of-images"
WHAT = f"Kaggle data set {SLUG} (version 2)"
PAGE = f"https://www.kaggle.com/datasets/{SLUG}/versions/2"
QUICK = RetryPolicy(attempts=3, first_wait=0.01, longest_wait=5, connect=2, read=0.3)
SECRETS = (TOKEN, KEY, USERNAME, REFRESH_TOKEN, SIGNATURE)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An account of a user who has nothing to do with Kaggle."""
    for name in list(os.environ):
        if name.startswith(("KAGGLE_", "XDG_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    return folder


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return zip_of(tmp_path / "published.zip", seed=1)


@pytest.fixture
def destination(tmp_path: Path) -> Path:
    return tmp_path / "data" / "raw" / "faces.zip"


def zip_of(path: Path, seed: int, size: int = 500_000) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("image.jpg", random.Random(seed).randbytes(size))
    return path


def lead_to(server: KaggleServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)


def failure(destination: Path, slug: str = SLUG, retry: RetryPolicy = QUICK) -> str:
    """Fetch, expect to fail, and return the line that the user sees."""
    with pytest.raises(UserError) as caught:
        kaggle.fetch(slug, 2, destination, retry=retry)
    message = str(caught.value)
    assert "\n" not in message
    shown = "".join(traceback.format_exception(caught.value))
    assert not [secret for secret in SECRETS if secret in shown]
    return message


def partials(destination: Path) -> list[Path]:
    return sorted(destination.parent.glob(".*"))


def test_the_archive_arrives_byte_for_byte_and_nothing_else_is_left(archive, destination, monkeypatch):
    with serve({SLUG: archive}) as server:
        lead_to(server, monkeypatch)
        kaggle.fetch(SLUG, 2, destination, retry=QUICK)
    assert destination.read_bytes() == archive.read_bytes()
    assert list(destination.parent.iterdir()) == [destination]


def test_the_version_asked_for_is_the_pinned_one(archive, destination, monkeypatch):
    with serve({SLUG: archive}) as server:
        lead_to(server, monkeypatch)
        kaggle.fetch(SLUG, 7, destination, retry=QUICK)
    wanted = json.loads(server.api_requests[0].body)
    assert (wanted["ownerSlug"], wanted["datasetSlug"], wanted["datasetVersionNumber"]) == (
        "owner",
        "set-of-images",
        7,
    )


def test_the_storage_is_not_told_the_credentials_and_sends_bytes_as_they_are(
    archive, destination, monkeypatch
):
    with serve({SLUG: archive}, faults=[Fault(reset_after=200_000)]) as server:
        lead_to(server, monkeypatch)
        kaggle.fetch(SLUG, 2, destination, retry=QUICK)
    assert len(server.storage_requests) == 3
    assert all("Authorization" in request.headers for request in server.api_requests)
    assert not any("Authorization" in request.headers for request in server.storage_requests)
    # Compressed for the way, bytes could not be counted: where to resume, nobody would know.
    assert {request.headers["Accept-Encoding"] for request in server.storage_requests} == {"identity"}


def by_token(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)


def by_token_file_named_in_the_environment(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "token").write_text(f"{TOKEN}\n")
    monkeypatch.setenv("KAGGLE_API_TOKEN", str(home / "token"))


def by_access_token_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / ".kaggle").mkdir()
    (home / ".kaggle/access_token").write_text(f"{TOKEN}\n")


def by_key(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_USERNAME", USERNAME)
    monkeypatch.setenv("KAGGLE_KEY", KEY)


def by_kaggle_json(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_kaggle_json(home / ".kaggle")


def by_kaggle_json_in_the_config_folder(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_kaggle_json(home / ".config/kaggle")


def by_kaggle_json_in_xdg_folder(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "elsewhere"))
    write_kaggle_json(home / "elsewhere/kaggle")


def by_kaggle_json_in_a_folder_of_choice(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / ".kaggle").mkdir()
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(home / "choice"))
    write_kaggle_json(home / "choice")


def by_key_in_the_environment_and_name_in_kaggle_json(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_kaggle_json(home / ".kaggle", key="another")
    monkeypatch.setenv("KAGGLE_KEY", KEY)


def write_kaggle_json(folder: Path, key: str = KEY) -> None:
    folder.mkdir(parents=True)
    (folder / "kaggle.json").write_text(json.dumps({"username": USERNAME, "key": key}))
    (folder / "kaggle.json").chmod(0o600)


def by_login(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_login(home, access_token=TOKEN, access_token_expiration="2999-01-01T00:00:00+00:00")


def by_login_that_has_expired(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_login(home, access_token="old", access_token_expiration="2001-01-01T00:00:00+00:00")


def write_login(home: Path, **content: str) -> None:
    (home / ".kaggle").mkdir()
    login = {"refresh_token": REFRESH_TOKEN, "username": USERNAME, **content}
    (home / ".kaggle/credentials.json").write_text(json.dumps(login))


KEYS = [
    by_key,
    by_kaggle_json,
    by_kaggle_json_in_the_config_folder,
    by_kaggle_json_in_xdg_folder,
    by_kaggle_json_in_a_folder_of_choice,
    by_key_in_the_environment_and_name_in_kaggle_json,
]
TOKENS = [by_token, by_token_file_named_in_the_environment, by_access_token_file]
LOGINS = [by_login, by_login_that_has_expired]


@pytest.mark.parametrize("sign_in", [*TOKENS, *KEYS, *LOGINS])
def test_credentials_are_taken_from_wherever_kaggle_takes_them(
    sign_in, archive, destination, home, monkeypatch
):
    with serve({SLUG: archive}) as server:
        lead_to(server, monkeypatch)
        monkeypatch.delenv("KAGGLE_API_TOKEN")
        sign_in(home, monkeypatch)
        kaggle.fetch(SLUG, 2, destination, retry=QUICK)
    assert destination.read_bytes() == archive.read_bytes()


@pytest.mark.parametrize("give_key", KEYS)
def test_the_kaggle_package_finds_the_same_user_name_and_key(give_key, home, monkeypatch):
    give_key(home, monkeypatch)
    # In a process of its own: the package settles its folder when it is imported. A key needs no network.
    code = (
        "from kaggle import api; import json;"
        "print(json.dumps([api.config_values.get('username'), api.config_values.get('key')]))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    ours = kaggle._credentials(WHAT)
    assert [ours.username, ours.key] == json.loads(found.stdout.splitlines()[-1])


def test_without_credentials_the_user_learns_how_to_get_some(archive, destination, monkeypatch, documented):
    with serve({SLUG: archive}) as server:
        lead_to(server, monkeypatch)
        monkeypatch.delenv("KAGGLE_API_TOKEN")
        message = failure(destination)
    assert message == (
        f"{WHAT}: no Kaggle credentials found: run `kaggle auth login`, or create a token at "
        "https://www.kaggle.com/settings/api and put it into the variable KAGGLE_API_TOKEN or the file "
        "~/.kaggle/access_token (KAGGLE_USERNAME with KAGGLE_KEY, and kaggle.json, work as well)"
    )
    assert server.requests == []
    documented("Kaggle", "no credentials", message)


@pytest.mark.parametrize("variable", ["KAGGLE_API_TOKEN", "KAGGLE_KEY"])
def test_credentials_with_a_line_break_are_refused_without_being_shown(
    variable, destination, monkeypatch, documented
):
    monkeypatch.setenv("KAGGLE_USERNAME", USERNAME)
    monkeypatch.setenv(variable, f"{TOKEN}\n{KEY}")
    message = failure(destination)
    assert "hold characters that none have" in message
    documented("Kaggle", f"credentials with a line break in {variable}", message)


def test_a_token_file_that_cannot_be_read_is_named(home, destination, documented):
    (home / ".kaggle/access_token").mkdir(parents=True)
    message = failure(destination)
    assert "cannot be read (Is a directory): mend or remove it" in message
    documented("Kaggle", "a token file that cannot be read", message)


@pytest.mark.parametrize("content", ["[]", "{", '{"refresh_token": "a", "access_token_expiration": 5}'])
def test_a_broken_login_is_answered_by_how_to_log_in_again(content, home, destination):
    (home / ".kaggle").mkdir()
    (home / ".kaggle/credentials.json").write_text(content)
    assert "kaggle auth login" in failure(destination)


def test_a_login_that_kaggle_no_longer_accepts_is_kept_and_named(
    archive, home, destination, monkeypatch, documented
):
    with serve({SLUG: archive}) as server:
        lead_to(server, monkeypatch)
        monkeypatch.delenv("KAGGLE_API_TOKEN")
        write_login(home, refresh_token="revoked")
        message = failure(destination)
    assert message == (
        f"{WHAT}: Kaggle does not accept the credentials from `kaggle auth login` (401): "
        "run `kaggle auth login --force`"
    )
    assert (home / ".kaggle/credentials.json").exists()
    documented("Kaggle", "an expired login", message)


@pytest.mark.parametrize(
    ("status", "answer"),
    {
        400: f"Kaggle does not understand the request (400): see whether {PAGE} exists",
        401: "Kaggle does not accept the credentials from KAGGLE_API_TOKEN (401): "
        "create new ones at https://www.kaggle.com/settings/api and put them there",
        403: f"Kaggle refuses access (403): open {PAGE} in a browser, signed in as the same user, "
        "accept the terms it shows, and run the same command again",
        404: "Kaggle has no such data set or version (404): "
        f"compare its slug and version in params.yaml with {PAGE}",
        418: f"Kaggle answers with error 418: see whether {PAGE} can be opened",
    }.items(),
)
def test_a_refusal_is_answered_at_once_by_what_to_do(
    status, answer, archive, destination, monkeypatch, documented
):
    with serve({SLUG: archive}, api_faults=[Fault(status=status)]) as server:
        lead_to(server, monkeypatch)
        assert failure(destination) == f"{WHAT}: {answer}"
    assert len(server.requests) == 1
    documented("Kaggle", f"it answers {status}", f"{WHAT}: {answer}")


def test_wrong_credentials_and_unknown_data_sets_are_refused_by_the_server_itself(
    archive, destination, monkeypatch
):
    with serve({SLUG: archive}) as server:
        lead_to(server, monkeypatch)
        assert "(404)" in failure(destination, slug="owner/another")
        monkeypatch.setenv("KAGGLE_API_TOKEN", "wrong")
        assert "(401)" in failure(destination)


def test_an_error_that_stands_in_the_json_only_counts_as_one(archive, destination, monkeypatch):
    page = json.dumps({"code": 403, "message": "denied"}).encode()
    with serve({SLUG: archive}, api_faults=[Fault(body=page)]) as server:
        lead_to(server, monkeypatch)
        assert "Kaggle refuses access (403)" in failure(destination)


@pytest.mark.parametrize("body", [b"null", b"{", b'{"code": "x"}', b'["code"]'])
def test_json_that_nobody_reckoned_with_is_no_traceback(body, archive, destination, monkeypatch, documented):
    with serve({SLUG: archive}, api_faults=[Fault(body=body)] * 3) as server:
        lead_to(server, monkeypatch)
        message = failure(destination)
    assert "makes no sense" in message
    documented("Kaggle", f"it answers with the JSON `{body.decode()}`", message)


@pytest.mark.parametrize(
    "fault", [Fault(status=429), Fault(status=500), Fault(status=502), Fault(status=503)]
)
def test_a_busy_server_is_asked_again(fault, archive, destination, monkeypatch, capsys):
    with serve({SLUG: archive}, api_faults=[fault], faults=[fault]) as server:
        lead_to(server, monkeypatch)
        kaggle.fetch(SLUG, 2, destination, retry=QUICK)
    assert destination.read_bytes() == archive.read_bytes()
    assert "(attempt 1 of 3); trying again in 0.01 s" in capsys.readouterr().err


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_server_that_stays_broken_is_given_up(status, archive, destination, monkeypatch, documented):
    with serve({SLUG: archive}, api_faults=[Fault(status=status)] * 3) as server:
        lead_to(server, monkeypatch)
        message = failure(destination)
    assert message == (
        f"{WHAT}: localhost answers with error {status} (attempt 3): run the same command again later"
    )
    assert len(server.requests) == 3
    documented("Kaggle", f"it answers {status}, each time", message)


def test_retry_after_is_obeyed(archive, destination, monkeypatch, capsys):
    busy = Fault(status=429, headers={"Retry-After": "1"})
    with serve({SLUG: archive}, api_faults=[busy]) as server:
        lead_to(server, monkeypatch)
        kaggle.fetch(SLUG, 2, destination, retry=QUICK)
    assert "localhost is too busy, error 429 (attempt 1 of 3); trying again in 1 s" in capsys.readouterr().err


def test_a_server_that_asks_for_hours_is_left_to_the_user(archive, destination, monkeypatch, documented):
    busy = Fault(status=429, headers={"Retry-After": "10800"})
    with serve({SLUG: archive}, api_faults=[busy]) as server:
        lead_to(server, monkeypatch)
        message = failure(destination)
    assert message == (
        f"{WHAT}: localhost is too busy, error 429 (attempt 1): run the same command again in 3 hours"
    )
    documented("Kaggle", "it answers 429 with `Retry-After: 10800`", message)


@pytest.mark.parametrize("value", ["soon", "9" * 5000, "Mon, 99 Foo 2026 99:99:99 GMT", "-1"])
def test_a_retry_after_that_makes_no_sense_is_no_traceback(value, archive, destination, monkeypatch):
    busy = Fault(status=429, headers={"Retry-After": value})
    with serve({SLUG: archive}, api_faults=[busy] * 3) as server:
        lead_to(server, monkeypatch)
        assert "localhost is too busy, error 429" in failure(destination)


def test_without_a_network_the_user_is_told_to_check_it(destination, monkeypatch, documented):
    with serve({}) as server:
        pass  # from here on nobody listens at its port
    lead_to(server, monkeypatch)
    message = failure(destination)
    assert message == (
        f"{WHAT}: cannot reach localhost (attempt 3): "
        "check the network and the proxy settings, run the same command again later"
    )
    documented("Kaggle", "no network", message)


@pytest.mark.parametrize("cut", [1, 70_000, 300_000, 500_000])
def test_a_connection_that_is_reset_is_resumed(cut, archive, destination, monkeypatch):
    with serve({SLUG: archive}, faults=[Fault(reset_after=cut)]) as server:
        lead_to(server, monkeypatch)
        kaggle.fetch(SLUG, 2, destination, retry=QUICK)
    assert destination.read_bytes() == archive.read_bytes()
    # What a reset takes with it differs from time to time, but it is never more than was sent.
    assert int(server.requests[-1].headers.get("Range", "bytes=0-")[6:-1]) <= cut


@pytest.mark.parametrize("fault", [Fault(stop_after=300_000), Fault(stop_after=300_000, no_length=True)])
def test_a_server_that_sends_too_few_bytes_is_asked_for_the_rest(fault, archive, destination, monkeypatch):
    # With a length, the client sees that some are missing; without one, the file is not a zip yet.
    with serve({SLUG: archive}, faults=[fault]) as server:
        lead_to(server, monkeypatch)
        if fault.no_length:
            assert "not kept" in failure(destination)
        kaggle.fetch(SLUG, 2, destination, retry=QUICK)
    assert destination.read_bytes() == archive.read_bytes()


def test_a_silent_server_is_not_waited_for_without_end(archive, destination, monkeypatch, capsys):
    faults = [Fault(stall_after=300_000)]
    with serve({SLUG: archive}, api_faults=[Fault(stall_after=0)], faults=faults) as server:
        lead_to(server, monkeypatch)
        kaggle.fetch(SLUG, 2, destination, retry=QUICK)
    assert destination.read_bytes() == archive.read_bytes()
    assert server.requests[-1].headers["Range"] == "bytes=262144-"
    said = capsys.readouterr().err
    assert "localhost sent nothing for 0.3 s" in said
    assert "the server sent nothing for 0.3 s" in said


def test_a_resumption_goes_on_at_the_next_call(archive, destination, monkeypatch, documented):
    faults = [Fault(stop_after=300_000), FINE, Fault(status=503), FINE, Fault(status=503)]
    with serve({SLUG: archive}, faults=faults) as server:
        lead_to(server, monkeypatch)
        message = failure(destination)
        assert message == (
            f"{WHAT}: storage.test answers with error 503 (attempt 3): run the same command again later; "
            "the 262.1 kB that came are kept"
        )
        documented("Kaggle", "it sends too few bytes, then answers 503", message)
        assert not destination.exists()
        kaggle.fetch(SLUG, 2, destination, retry=QUICK)
    assert destination.read_bytes() == archive.read_bytes()
    assert server.requests[-1].headers["Range"] == "bytes=262144-"
    assert partials(destination) == []


def test_a_download_that_was_killed_is_resumed(archive, destination, monkeypatch):
    code = (
        "import sys; from pathlib import Path; from deepfake_ensemble.fetching import kaggle;"
        "kaggle.fetch(sys.argv[1], 2, Path(sys.argv[2]))"
    )
    with serve({SLUG: archive}, faults=[Fault(stall_after=300_000)]) as server:
        lead_to(server, monkeypatch)
        process = subprocess.Popen([sys.executable, "-c", code, SLUG, str(destination)])
        while not (partials(destination) and partials(destination)[0].stat().st_size >= 262_144):
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
        process.wait()
        kaggle.fetch(SLUG, 2, destination, retry=QUICK)
    assert server.requests[-1].headers["Range"] == "bytes=262144-"
    assert destination.read_bytes() == archive.read_bytes()


def test_a_long_download_survives_more_breaks_than_attempts_as_long_as_it_gets_on(
    tmp_path, destination, monkeypatch
):
    archive = zip_of(tmp_path / "large.zip", seed=1, size=8_000_000)
    faults = [Fault(stop_after=1_200_000), *[FINE, Fault(stop_after=1_200_000)] * 5]
    with serve({SLUG: archive}, faults=faults) as server:
        lead_to(server, monkeypatch)
        kaggle.fetch(SLUG, 2, destination, retry=RetryPolicy(attempts=2, first_wait=0.01, read=2))
    assert destination.read_bytes() == archive.read_bytes()


def test_a_connection_that_breaks_over_and_over_is_given_up(archive, destination, monkeypatch, documented):
    with serve({SLUG: archive}, faults=[Fault(reset_after=70_000)] * 10) as server:
        lead_to(server, monkeypatch)
        message = failure(destination)
    assert "broke the connection (attempt 3): run the same command again later; the " in message
    documented("Kaggle", "it breaks the connection, each time", message, {r"[\d.]+ k?B that": "… kB that"})


@pytest.mark.parametrize("told", [{}, {"ETag": ""}, {"ETag": "", "Last-Modified": "", "x-goog-hash": ""}])
def test_a_download_is_resumed_whatever_the_server_tells_of_the_file(told, archive, destination, monkeypatch):
    faults = [Fault(reset_after=300_000, headers=told), Fault(headers=told), Fault(headers=told)]
    with serve({SLUG: archive}, faults=faults) as server:
        lead_to(server, monkeypatch)
        kaggle.fetch(SLUG, 2, destination, retry=QUICK)
    assert destination.read_bytes() == archive.read_bytes()
    assert "Range" in server.requests[-1].headers


def test_a_server_without_ranges_sends_everything_again(archive, destination, monkeypatch):
    faults = [Fault(stop_after=300_000), *[Fault(no_ranges=True)] * 9]
    with serve({SLUG: archive}, faults=faults) as server:
        lead_to(server, monkeypatch)
        kaggle.fetch(SLUG, 2, destination, retry=QUICK)
    assert destination.read_bytes() == archive.read_bytes()


def test_a_rest_that_ends_early_without_a_word_is_continued(archive, destination, monkeypatch):
    faults = [Fault(stop_after=300_000), FINE, Fault(stop_after=100_000, no_length=True)]
    with serve({SLUG: archive}, faults=faults) as server:
        lead_to(server, monkeypatch)
        kaggle.fetch(SLUG, 2, destination, retry=QUICK)
    assert destination.read_bytes() == archive.read_bytes()
    assert server.requests[-1].headers["Range"] == "bytes=362144-"


def test_a_file_of_which_the_server_tells_nothing_is_begun_again(archive, destination, monkeypatch):
    nothing = {"ETag": "", "Last-Modified": "", "x-goog-hash": ""}
    faults = [
        Fault(reset_after=300_000, no_length=True, headers=nothing),
        Fault(no_length=True, headers=nothing),
    ]
    with serve({SLUG: archive}, faults=faults) as server:
        lead_to(server, monkeypatch)
        kaggle.fetch(SLUG, 2, destination, retry=QUICK)
    assert destination.read_bytes() == archive.read_bytes()
    assert "Range" not in server.requests[-1].headers


def test_a_part_that_is_longer_than_the_file_is_dropped(archive, destination, monkeypatch, capsys):
    with serve({SLUG: archive}, faults=[Fault(stop_after=300_000), *[Fault(status=503)] * 2]) as server:
        lead_to(server, monkeypatch)
        failure(destination)
        (partial,) = partials(destination)
        partial.write_bytes(bytes(600_000))
        kaggle.fetch(SLUG, 2, destination, retry=QUICK)
    assert "the server has no bytes after those that are here already" in capsys.readouterr().err
    assert destination.read_bytes() == archive.read_bytes()


def test_another_part_than_was_asked_for_is_not_taken(archive, destination, monkeypatch, capsys):
    other = Fault(headers={"Content-Range": "bytes 5-9/10"})
    with serve({SLUG: archive}, faults=[Fault(stop_after=300_000), FINE, other]) as server:
        lead_to(server, monkeypatch)
        kaggle.fetch(SLUG, 2, destination, retry=QUICK)
    assert "the server sent another part of the file than it was asked for" in capsys.readouterr().err
    assert destination.read_bytes() == archive.read_bytes()


@pytest.mark.parametrize("change", ["version", "file"])
def test_a_part_of_one_archive_is_never_continued_with_another(
    change, tmp_path, archive, destination, monkeypatch
):
    faults = [Fault(stop_after=300_000), FINE, Fault(status=503), FINE, Fault(status=503)]
    other = zip_of(tmp_path / "other.zip", seed=2)
    assert other.stat().st_size == archive.stat().st_size
    with serve({SLUG: archive}, faults=faults) as server:
        lead_to(server, monkeypatch)
        failure(destination)
    assert len(partials(destination)) == 1
    with serve({SLUG: other}) as server:
        lead_to(server, monkeypatch)
        kaggle.fetch(SLUG, 3 if change == "version" else 2, destination, retry=QUICK)
    assert destination.read_bytes() == other.read_bytes()
    assert "Range" not in server.requests[-1].headers
    assert partials(destination) == []


def test_a_download_that_was_killed_just_before_its_end_is_only_moved(archive, destination, monkeypatch):
    with serve({SLUG: archive}, faults=[Fault(reset_after=300_000), *[Fault(status=503)] * 2]) as server:
        lead_to(server, monkeypatch)
        failure(destination)
        (partial,) = partials(destination)
        partial.write_bytes(archive.read_bytes())
        kaggle.fetch(SLUG, 2, destination, retry=QUICK)
    assert destination.read_bytes() == archive.read_bytes()


def test_more_bytes_than_announced_are_not_taken(archive, destination, monkeypatch, capsys):
    # The rest of the file is answered by something longer, whose end is the end of the connection.
    long = Fault(body=archive.read_bytes() + b"x" * 100_000, no_length=True)
    with serve({SLUG: archive}, faults=[Fault(reset_after=300_000), FINE, long, Fault(status=503)]) as server:
        lead_to(server, monkeypatch)
        failure(destination)
        assert partials(destination) == []
        size = archive.stat().st_size
        assert f"the server sent more than the {size:,} bytes it announced" in capsys.readouterr().err
        kaggle.fetch(SLUG, 2, destination, retry=QUICK)
    assert destination.read_bytes() == archive.read_bytes()


def test_a_rest_of_another_length_is_not_taken(archive, destination, monkeypatch, capsys):
    short = Fault(body=archive.read_bytes()[:-10])
    with serve({SLUG: archive}, faults=[Fault(reset_after=300_000), FINE, short]) as server:
        lead_to(server, monkeypatch)
        kaggle.fetch(SLUG, 2, destination, retry=QUICK)
    size = archive.stat().st_size
    assert f"the server announced {size:,} bytes and then {size - 10:,}" in capsys.readouterr().err
    assert destination.read_bytes() == archive.read_bytes()


@pytest.mark.parametrize("algorithm", ["md5", "crc32c"])
def test_bytes_that_changed_on_the_way_are_refused(algorithm, tmp_path, archive, monkeypatch, documented):
    damaged = bytearray(archive.read_bytes())
    damaged[1000] ^= 1
    with serve({SLUG: archive}) as server:
        lead_to(server, monkeypatch)
        kaggle.fetch(SLUG, 2, tmp_path / "good.zip", retry=QUICK)
    before = tmp_path / "good.zip"
    headers = {} if algorithm == "md5" else {"x-goog-hash": f"crc32c={crc32c(archive)}"}
    with serve({SLUG: archive}, faults=[Fault(body=bytes(damaged), headers=headers)]) as server:
        lead_to(server, monkeypatch)
        message = failure(before)
        assert f"the file that came has the {algorithm} " in message
        assert "was damaged on the way and not kept" in message
        sums = {rf"{algorithm} \S+,": f"{algorithm} …,", r"has \S+: it": "has …: it"}  # of a zip with a date
        documented("Kaggle", f"it sends other bytes ({algorithm})", message, sums)
    assert before.read_bytes() == archive.read_bytes()
    assert not list(tmp_path.glob(".partial*"))


def crc32c(path: Path) -> str:
    from file_server import checksums

    return checksums(path)["x-goog-hash"].split(",")[0].removeprefix("crc32c=")


def test_a_web_page_in_place_of_the_archive_is_refused(archive, destination, monkeypatch, documented):
    page = Fault(body=b"<html>Sign in to this network</html>", headers={"x-goog-hash": ""})
    with serve({SLUG: archive}, faults=[page]) as server:
        lead_to(server, monkeypatch)
        message = failure(destination)
    assert message == (
        f"{WHAT}: what came is not a zip archive and was not kept: "
        "see whether a proxy or a sign-in page of the network answers in Kaggle's place"
    )
    assert list(destination.parent.iterdir()) == []
    documented("Kaggle", "a web page comes in its place", message)


@pytest.mark.parametrize(
    "faults",
    [
        {"api_faults": [Fault(status=403)]},
        {"api_faults": [Fault(status=500)] * 3},
        {"faults": [Fault(reset_after=100_000)] * 6},
        {"faults": [Fault(stall_after=100_000)] * 6},
        {"faults": [Fault(body=b"not a zip")]},
    ],
)
def test_a_failed_download_leaves_the_archive_that_was_there(faults, archive, destination, monkeypatch):
    destination.parent.mkdir(parents=True)
    destination.write_bytes(b"the archive of last year")
    with serve({SLUG: archive}, **faults) as server:
        lead_to(server, monkeypatch)
        failure(destination)
    assert destination.read_bytes() == b"the archive of last year"


def test_an_archive_for_which_there_is_no_room_is_refused_before_it_comes(
    archive, destination, monkeypatch, documented
):
    vast = Fault(headers={"Content-Length": str(10**18)})
    with serve({SLUG: archive}, faults=[vast]) as server:
        lead_to(server, monkeypatch)
        message = failure(destination)
    assert message.startswith(f"{destination.parent}: {WHAT} needs 1.0 EB of disk and ")
    assert message.endswith(" are free: make room and run the same command again")
    documented("Kaggle", "no room for the archive", message, {r"[\d.]+ [kMGT]?B are": "… GB are"})


def test_a_disk_that_fills_up_ends_with_one_line(archive, destination, monkeypatch, documented):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with serve({SLUG: archive}) as server:
        lead_to(server, monkeypatch)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
        try:
            message = failure(destination)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert message == (
            f"{destination.parent}: {WHAT} cannot be stored there: File too large: "
            "make the folder writable, with room enough, and run the same command again"
        )
        documented("Kaggle", "the disk fills up", message)
        kaggle.fetch(SLUG, 2, destination, retry=QUICK)
    assert destination.read_bytes() == archive.read_bytes()


def test_a_folder_that_cannot_be_made_is_named(archive, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with serve({SLUG: archive}) as server:
        lead_to(server, monkeypatch)
        message = failure(tmp_path / "file" / "faces.zip")
    assert message.startswith(f"{tmp_path / 'file'}: {WHAT} cannot be stored there: ")


@pytest.mark.parametrize(
    "slug", ["", "faces", "owner/", "/name", "a/b/c", "../name", "owner/..", "owner/na me"]
)
def test_what_is_no_slug_is_refused(slug, destination, documented):
    message = failure(destination, slug=slug)
    assert message == (f"{slug!r} is not a Kaggle data set: write OWNER/NAME, as in the address of its page")
    documented("Kaggle", f"the slug `{slug}`" if slug else "no slug", message)


def test_an_environment_that_kaggle_does_not_know_is_named(destination, monkeypatch):
    monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "MARS")
    assert failure(destination) == "KAGGLE_API_ENVIRONMENT='MARS' means nothing to Kaggle's client: unset it"


@pytest.mark.parametrize(
    ("sign_in", "faults"),
    [
        (by_token, {}),
        (by_key, {}),
        (by_login_that_has_expired, {}),
        (by_token, {"api_faults": [Fault(status=401)]}),
        (by_key, {"api_faults": [Fault(body=b'{"code": 403, "message": "' + KEY.encode() + b'"}')]}),
        (by_login_that_has_expired, {"api_faults": [Fault(stall_after=0)] * 3}),
        (by_token, {"faults": [Fault(reset_after=100_000), *[Fault(status=503)] * 2]}),
        (by_key, {"faults": [Fault(status=403, headers={"Location": f"http://x/?sig={SIGNATURE}"})]}),
    ],
)
def test_no_credential_is_shown_anywhere(sign_in, faults, archive, tmp_path):
    """In a process of its own, at its most talkative, as a stage runs it."""
    home = tmp_path / "home"
    code = (
        "import logging, sys; from pathlib import Path;"
        "from deepfake_ensemble.fetching import kaggle;"
        "from deepfake_ensemble.fetching.http import RetryPolicy;"
        "kaggle.fetch(sys.argv[1], 2, Path('faces.zip'), retry="
        "RetryPolicy(attempts=3, first_wait=0.01, connect=2, read=0.3))"
    )
    with serve({SLUG: archive}, **faults) as server, pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment.items():
            patch.setenv(name, value)
        patch.delenv("KAGGLE_API_TOKEN")
        patch.setenv("VERBOSE", "1")
        sign_in(home, patch)
        done = subprocess.run(
            [sys.executable, "-c", code, SLUG], capture_output=True, text=True, cwd=tmp_path, check=False
        )
    assert server.requests
    assert done.stdout == ""
    assert (done.returncode == 0) == (faults == {})
    written = [
        path.read_text("latin-1")
        for path in tmp_path.rglob("*")
        if path.is_file() and home not in path.parents
    ]
    for secret in SECRETS:
        assert secret not in done.stderr
        assert not [text for text in written if secret in text]


def test_progress_is_a_line_at_the_start_and_one_at_the_end_of_a_log(
    archive, destination, monkeypatch, capsys
):
    with serve({SLUG: archive}) as server:
        lead_to(server, monkeypatch)
        kaggle.fetch(SLUG, 2, destination, retry=QUICK)
    captured = capsys.readouterr()
    assert captured.err == f"{WHAT}: 500.1 kB\n{WHAT}: done\n"
    assert captured.out == ""
