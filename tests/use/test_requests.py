"""The endpoints under requests that their description allows, and under others, made up by Schemathesis."""

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode, checks

import model_file
from pictures import encoded, picture
from serving import served

PHOTO = encoded(picture(1, 64, 48))
ENDPOINTS = [
    ("/api/model", "GET"),
    ("/api/rule", "GET"),
    ("/api/classify", "POST"),
    ("/api/explain", "POST"),
    ("/api/picture", "POST"),
]
# Negative mode makes up wrong arguments, of which these take none.
WITHOUT_ARGUMENTS = ("/api/model", "/api/picture")
CASES = [
    (*endpoint, mode)
    for endpoint in ENDPOINTS
    for mode in GenerationMode
    if endpoint[0] not in WITHOUT_ARGUMENTS or mode != GenerationMode.NEGATIVE
]
many = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[schemathesis.BaseSchema]:
    folder = tmp_path_factory.mktemp("requests")
    model_file.write(folder / "models/ensemble.onnx")
    with served(folder, "--rate", "1000000") as (address, process):
        yield schemathesis.openapi.from_url(f"{address}/openapi.json")
        assert process.poll() is None


def test_all_endpoints_are_described(described):
    assert {(path, method) for path in described for method in map(str.upper, described[path])} == set(
        ENDPOINTS
    )


@pytest.mark.parametrize(("path", "method", "mode"), CASES)
def test_every_answer_is_one_that_is_described(described, path, method, mode):
    outcomes = set()

    @many
    @given(case=described[path][method].as_strategy(generation_mode=mode), image=st.booleans())
    def ask(case: Case, image: bool) -> None:
        if image and method == "POST":
            case.body, case.media_type = PHOTO, "application/octet-stream"
        answer = case.call()
        outcomes.add(answer.status_code)
        case.validate_response(
            answer,
            checks=[
                checks.status_code_conformance,
                checks.content_type_conformance,
                checks.response_schema_conformance,
            ],
        )

    ask()
    if mode == GenerationMode.POSITIVE:
        assert outcomes & {200, 501}
