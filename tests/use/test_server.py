"""The page's endpoints: what they answer, what they refuse, and what they leave behind."""

import io
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from starlette.testclient import TestClient

import model_file
from deepfake_ensemble.portable.classifier import Classifier
from deepfake_ensemble.use import server
from deepfake_ensemble.use.guards import RateLimit
from deepfake_ensemble.workflow import examples
from pictures import encoded, picture
from serving import served
from use_images import BAD, GOOD

ROOT = Path(__file__).parents[2]
DETECTORS = ["cnn", "resnet50", "xception", "efficientnet_b4", "ensemble"]
CASES = Path(__file__).parent / "cases"
PHOTO = encoded(picture(1, 64, 48), quality=90)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    return Classifier(model_file.write(tmp_path_factory.mktemp("server") / "model.onnx"))


def client_of(classifier: Classifier, folder: Path = Path("nowhere"), **options: Any) -> TestClient:
    app = server.application(classifier, folder, **options)
    return TestClient(app, base_url="http://127.0.0.1:8000")


@pytest.fixture
def client(classifier: Classifier) -> TestClient:
    return client_of(classifier)


# What it answers


def test_an_image_is_answered_as_the_command_line_does(client, classifier):
    answer = client.post("/api/classify", params={"name": "me.jpg", "threshold": "0.3"}, content=PHOTO)
    assert answer.status_code == 200
    row = answer.json()
    from deepfake_ensemble.reading.images import pixels

    expected = model_file.p_fake(pixels(PHOTO, 32)[None])
    assert {name: row[name] for name in DETECTORS} == pytest.approx(
        {name: float(expected[name][0]) for name in DETECTORS}, abs=1e-6
    )
    assert row["image"] == "me.jpg" and row["threshold"] == 0.3 and row["demonstration"] is True
    assert "the internal test" in row["measured_on"] and row["meaning"]


def test_the_model_and_the_errors_of_a_threshold_can_be_asked_for(client):
    model = client.get("/api/model").json()
    assert model["weights"] == model_file.WEIGHTS
    assert model["explains"] is False and "Grad-CAM needs" in model["explains_not_because"]
    assert "Demonstration" in model["demonstration_note"]
    rule = client.get("/api/rule", params={"threshold": "youden"}).json()
    assert rule["threshold"] == 0.4321
    assert len(rule["sentences"]) == 2 and "the internal test" in rule["sentences"][0]


def test_the_page_and_what_it_is_made_of_come_from_here(client):
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    names = ("page.css", "page.js", "icon.svg")
    assert all(name in page.text for name in names)
    for name in (*names, "zip.js", "docs", "docs.js"):
        text = client.get(f"/{name}").text.replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in text and "https://" not in text and "//cdn" not in text
    assert "http" not in page.text.replace("utf-8", "")


def test_headers_keep_the_page_to_itself(client):
    for path in ("/", "/api/model", "/none"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"


# What it refuses


@pytest.mark.parametrize("name", list(BAD))
def test_a_bad_image_is_refused_with_its_reason(client, name):
    answer = client.post("/api/classify", content=BAD[name])
    assert answer.status_code == 422
    assert answer.json()["detail"]


@pytest.mark.parametrize("name", list(GOOD))
def test_every_kind_of_image_is_taken(client, name):
    assert client.post("/api/classify", content=GOOD[name]).status_code == 200


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"url": "/api/classify?threshold=0.123", "content": PHOTO}, 400),
        ({"url": "/api/classify?model=vgg", "content": PHOTO}, 400),
        ({"url": f"/api/classify?name={'x' * 256}", "content": PHOTO}, 400),
        ({"url": "/api/classify", "content": PHOTO, "headers": {"content-type": "text/html"}}, 415),
        ({"url": "/api/classify", "content": PHOTO, "headers": {"origin": "http://elsewhere.example"}}, 403),
        ({"url": "/api/classify", "content": PHOTO, "headers": {"origin": "null"}}, 403),
        ({"url": "/api/classify", "content": PHOTO, "headers": {"origin": "http://["}}, 403),
        ({"url": "/api/classify", "content": PHOTO, "headers": {"host": "elsewhere.example"}}, 403),
        ({"url": "/api/classify", "content": b"", "headers": {"content-length": str(2**40)}}, 413),
        ({"url": "/api/classify", "content": iter([b"x" * 2**20] * 33)}, 413),
        ({"url": "/api/explain", "content": PHOTO}, 501),
        ({"url": "/api/picture", "content": b"nothing"}, 422),
        ({"url": "/api/none", "content": PHOTO}, 404),
        ({"url": "/api/model", "content": PHOTO}, 405),
    ],
)
def test_what_is_refused_is_told_why(client, request_, code):
    answer = client.post(**request_)
    assert answer.status_code == code
    assert set(answer.json()) == {"detail"}


@pytest.mark.parametrize(
    ("host", "asked", "code"),
    [
        ("0.0.0.0", "192.168.1.5:8000", 200),
        ("::", "[fe80::1]:8000", 200),
        ("0.0.0.0", "localhost:8000", 200),
        ("0.0.0.0", f"{socket.gethostname()}:8000", 200),
        ("0.0.0.0", "evil.example", 403),
        ("::", "evil.example", 403),
        ("MyPC", "mypc:8000", 200),
        ("MyPC", "192.168.1.5:8000", 403),
    ],
)
def test_only_names_that_nobody_else_can_point_here_are_answered(classifier, host, asked, code):
    answer = client_of(classifier, host=host).get("/api/rule", headers={"host": asked})
    assert answer.status_code == code


CALL = "curl --data-binary @photo.jpg 'http://127.0.0.1:8000/api/classify'"


@pytest.mark.parametrize(
    ("request_", "code", "said"),
    [
        ({"files": {"file": PHOTO}}, 415, "the image itself is wanted, not a form: "),
        ({"json": {"image": "aGVsbG8="}}, 415, "the image itself is wanted, not application/json: "),
        ({"data": {"image": "photo.jpg"}}, 422, "a text; send it as it is: "),
        ({"method": "PUT", "content": PHOTO}, 405, "asked by PUT instead of POST: "),
        ({"method": "GET"}, 405, "asked by GET instead of POST: "),
    ],
)
def test_a_wrong_upload_is_told_the_right_call(client, request_, code, said):
    answer = client.request(url="/api/classify", **{"method": "POST"} | request_)
    assert (answer.status_code, answer.json()["detail"]) == (code, said + CALL)


def test_what_curl_sends_whole_and_what_it_sends_stripped_are_told_apart(client):
    def detail(content: bytes) -> str:
        form = {"content-type": "application/x-www-form-urlencoded"}
        return client.post("/api/classify", content=content, headers=form).json()["detail"]

    assert detail(PHOTO.translate(None, b"\r\n\0")).endswith(f"; send it as it is: {CALL}")
    heic = (CASES / "IMG_0001.HEIC").read_bytes()
    assert detail(heic) == "damaged: it begins as a HEIC image, and cannot be read on"


def test_names_of_this_computer_and_of_a_proxy_can_be_allowed(classifier):
    refused = client_of(classifier)
    client = client_of(classifier, also_called=["study.local"])
    for headers in ({"host": "study.local:8000"}, {"origin": "https://study.local"}):
        answer = refused.post("/api/classify", content=PHOTO, headers=headers)
        assert answer.status_code == 403 and "--allow-host study.local" in answer.json()["detail"]
        assert client.post("/api/classify", content=PHOTO, headers=headers).status_code == 200
    other = {"origin": "https://<b>.example"}
    assert "--allow-host NAME" in client.post("/api/classify", content=PHOTO, headers=other).json()["detail"]


def test_a_picture_that_browsers_cannot_show_is_shown_small_and_upright(client):
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(picture(1, 1_200, 600), "HEIF", exif=exif.tobytes())
    answer = client.post("/api/picture", content=data)
    assert answer.headers["content-type"] == "image/jpeg"
    assert Image.open(io.BytesIO(answer.content)).size == (256, 512)


def test_the_examples_are_what_makes_them(client):
    for name, data in examples.examples():
        assert client.get(f"/examples/{name}").content == data


def test_the_endpoints_are_shown_to_people(client):
    assert client.get("/docs").headers["content-type"].startswith("text/html")


def test_the_page_itself_may_ask(client):
    headers = {"origin": "http://127.0.0.1:8000"}
    assert client.post("/api/classify", content=PHOTO, headers=headers).status_code == 200


def test_too_many_images_a_minute_are_sent_away_with_the_time_to_come_back(classifier):
    client = client_of(classifier, a_minute=3)
    codes = [client.post("/api/classify", content=PHOTO).status_code for _ in range(4)]
    assert codes == [200, 200, 200, 429]
    assert int(client.post("/api/classify", content=PHOTO).headers["retry-after"]) in range(1, 21)
    assert client.get("/api/model").status_code == 200


def test_a_rate_limit_refills_evenly_and_is_each_addresss_own():
    now = 0.0
    limit = RateLimit(2, clock=lambda: now)
    assert [limit.retry_after("a"), limit.retry_after("a"), limit.retry_after("a")] == [0, 0, 30]
    assert limit.retry_after("b") == 0
    now = 29.0
    assert limit.retry_after("a") == pytest.approx(1)
    now = 30.1
    assert limit.retry_after("a") == 0
    for other in range(2_000):
        limit.retry_after(str(other))
    assert len(limit._left) == 1_024


# As a process


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served")
    model_file.write(folder / "models/ensemble.onnx")
    return folder


def test_it_listens_on_this_computer_only_keeps_nothing_and_ends_when_told(folder, tmp_path):
    before = sorted(folder.rglob("*"))
    with served(folder) as (address, process):
        assert address.startswith("http://127.0.0.1:")
        assert httpx.post(f"{address}/api/classify", content=PHOTO).status_code == 200
        large = encoded(Image.effect_noise((3000, 3000), 90), "PNG")
        assert len(large) > 5_000_000
        assert httpx.post(f"{address}/api/classify", content=large, timeout=30).status_code == 200
        opened = [str(link.readlink()) for link in Path(f"/proc/{process.pid}/fd").iterdir() if link.exists()]
        assert not [file for file in opened if "deleted" in file]
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
        assert "Traceback" not in process.stderr.read()
    assert sorted(folder.rglob("*")) == before


def test_a_client_that_breaks_off_or_dawdles_keeps_nobody_waiting(folder):
    with served(folder) as (address, process):
        host, port = address.removeprefix("http://").split(":")
        head = b"POST /api/classify HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000\r\n\r\nabc"
        slow = [socket.create_connection((host, int(port))) for _ in range(40)]
        for connection in slow:
            connection.sendall(head)
        for _ in range(20):
            with socket.create_connection((host, int(port))) as connection:
                connection.sendall(head)
        assert httpx.post(f"{address}/api/classify", content=PHOTO, timeout=10).status_code == 200
        for connection in slow:
            connection.close()
        process.terminate()
        process.wait(10)
        assert "Traceback" not in process.stderr.read()


def test_an_address_that_is_taken_is_said_in_one_line(folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        program = [sys.executable, "-m", "deepfake_ensemble.use.command_line", "serve", "--port"]
        done = subprocess.run(
            [*program, str(taken.getsockname()[1])],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert "--host and --port choose others" in done.stderr and "Traceback" not in done.stderr


def test_many_at_once_are_all_answered(folder):
    codes: list[int] = []

    def ask(address: str) -> None:
        for _ in range(5):
            codes.append(httpx.post(f"{address}/api/classify", content=PHOTO, timeout=60).status_code)

    with served(folder, "--rate", "100000") as (address, _):
        threads = [threading.Thread(target=ask, args=(address,)) for _ in range(20)]
        start = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert codes == [200] * 100
    assert time.monotonic() - start < 30
