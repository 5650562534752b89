"""The light installation: the built package and what it requires, nothing else, in a fresh environment."""

import email
import importlib.metadata
import json
import re
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import model_file

ROOT = Path(__file__).parents[2]
HEAVY = ("tensorflow", "keras", "pandas", "sklearn", "scipy", "matplotlib", "dvc", "pydantic", "onnx")


def required(names: list[Requirement]) -> set[str]:
    """Return the distributions that requirements stand for, with those that these require in turn."""
    found: set[str] = set()
    wanted = list(names)
    while wanted:
        requirement = wanted.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        if (name := canonicalize_name(requirement.name)) not in found:
            found.add(name)
            wanted += map(Requirement, importlib.metadata.requires(requirement.name) or [])
    return found


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built package."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def metadata(wheel: Path) -> email.message.Message:
    """Return what an index shows of a package: fields, and the README as payload."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return email.message_from_bytes(archive.read(name))


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the built wheel; what that requires is linked from the tests'
    environment, so that no index is asked."""
    folder = tmp_path_factory.mktemp("light")
    venv.create(folder / "venv")
    (packages,) = (folder / "venv/lib").glob("python*/site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    asked = metadata(wheel).get_all("Requires-Dist") or []
    for name in required(list(map(Requirement, asked))):
        distribution = importlib.metadata.distribution(name)
        for top in {Path(str(file)).parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
            (packages / top).symlink_to(Path(str(distribution.locate_file(top))).resolve())
    return folder / "venv/bin/python"


def run(python: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, *arguments],
        cwd=folder,
        env={"HOME": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )


def test_what_an_index_shows_needs_no_file_beside_it(wheel):
    shown = metadata(wheel)
    urls = dict(each.split(", ") for each in shown.get_all("Project-URL") or [])
    assert {"Repository", "Documentation", "Changelog", "Issues"} == set(urls)
    assert "Typing :: Typed" in (shown.get_all("Classifier") or [])
    text = shown.get_payload()
    assert isinstance(text, str) and "# deepfake-ensemble" in text and "mermaid" not in text
    links = re.findall(r"\]\((.+?)\)", text)
    assert len(links) > 15 and all(link.startswith("https://") for link in links)
    own = [link.partition("/main/")[2].partition("#")[0] for link in links if "/deepfake-ensemble/" in link]
    assert {"LICENSE", "docs/using.md", "docs/pictures/pipeline.svg"} <= set(own)
    assert [path for path in own if not (ROOT / path).is_file()] == []


def test_nothing_heavy_is_there(python, tmp_path):
    code = f"import importlib.util as u; print([name for name in {HEAVY} if u.find_spec(name)])"
    assert run(python, tmp_path, "-c", code).stdout == "[]\n"


def test_images_are_classified_by_command_by_page_and_from_python(python, tmp_path):
    model_file.write(tmp_path / "models/ensemble.onnx")
    model_file.folder_of_pictures(tmp_path / "pictures", 2)
    done = run(python, tmp_path, "-m", "deepfake_ensemble", "predict", "--format", "json", "pictures")
    assert [row["error"] for row in json.loads(done.stdout)] == [None, None]
    code = (
        "import deepfake_ensemble as d; from pathlib import Path;"
        "print([e.verdict for e in d.load('models/ensemble.onnx').predict(Path('pictures').iterdir())]);"
        "from deepfake_ensemble.use import server; page = server._PAGE;"
        "print(all((page / name).is_file() for name in server._FILES.values()), len(server._FILES) > 10)"
    )
    verdicts, files = run(python, tmp_path, "-c", code).stdout.splitlines()
    assert verdicts in ("['real', 'real']", "['fake', 'real']", "['real', 'fake']", "['fake', 'fake']")
    assert files == "True True"


def test_what_a_collection_needs_beside_is_named(python, tmp_path):
    model_file.write(tmp_path / "models/ensemble.onnx")
    with pytest.raises(subprocess.CalledProcessError) as failed:
        run(python, tmp_path, "-m", "deepfake_ensemble", "classify-collection", "in", "--output", "out")
    assert failed.value.returncode == 2
    assert "a collection needs fsspec, jinja2, matplotlib, pyarrow" in failed.value.stderr
    assert "deepfake-ensemble[collections]" in failed.value.stderr
