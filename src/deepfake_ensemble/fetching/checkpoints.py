"""Published weights, as files: those that Keras publishes, and timm's of ResNet18.

Hugging Face publishes a file's SHA-256 where Keras publishes an MD5.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import requests

from deepfake_ensemble.fetching import imagenet
from deepfake_ensemble.fetching.http import PATIENT, Patience, Remote, arm, download
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.files import sha256
from deepfake_ensemble.models import architecture

ENDPOINT = "HF_ENDPOINT"  # Hugging Face's own name for a mirror's address
HUB = "https://huggingface.co"
FOLDER = Path("models/imagenet")


@dataclass(frozen=True)
class Checkpoint:
    """A file on Hugging Face: its path there, which names the commit, and the SHA-256 published for it."""

    path: str
    sha256: str


# Wightman, Touvron & Jégou 2021, "ResNet strikes back"; Apache License 2.0.
CHECKPOINTS = {
    "resnet18": Checkpoint(
        path="timm/resnet18.a1_in1k/resolve/491b427b45c94c7fb0e78b5474cc919aff584bbf/model.safetensors",
        sha256="80c49dee3da4822c009c5a7fe591e9223c5a2cfcf95a4067ca4dfb5a7b89c612",
    )
}


def has_published(model: str) -> bool:
    """Tell whether there are published weights of an architecture."""
    return model in CHECKPOINTS or architecture.find(model).imagenet is not None


def fetch(model: str, patience: Patience = PATIENT) -> Path:
    """Return the file of an architecture's published weights, downloaded at most once.

    Raises:
        UserError: if it could not be downloaded, or is not the published file, or there is none.
    """
    if model in CHECKPOINTS:
        checkpoint = CHECKPOINTS[model]
        file = FOLDER / f"{model}.safetensors"
        _fetch(checkpoint, file, patience)
        return file
    published = architecture.find(model).imagenet
    if published is None:
        raise UserError(f"models.{model}: has no published weights; let its runs start from random ones")
    file = FOLDER / published.url.rsplit("/", 1)[-1]
    imagenet.fetch(published.url, published.md5, file, patience=patience)
    return file


def _fetch(checkpoint: Checkpoint, destination: Path, patience: Patience) -> None:
    if destination.is_file() and sha256(destination) == checkpoint.sha256:
        return
    hub = os.environ.get(ENDPOINT, HUB).rstrip("/")
    if not hub.startswith(("https://", "http://")):
        raise UserError(f"{ENDPOINT}: not an address: it must begin with https:// or http://")
    what = f"weights {checkpoint.path.partition('/resolve/')[0]}"

    def ask() -> requests.Response:
        with requests.Session() as session:
            arm(session, patience)
            answer = session.get(f"{hub}/{checkpoint.path}", stream=True)
        answer.raise_for_status()
        return answer

    def verify(file: Path, answer: requests.Response) -> None:
        if (found := sha256(file)) != checkpoint.sha256:
            raise UserError(
                f"{what}: its SHA-256 is {found}, published is {checkpoint.sha256}: it was changed on the"
                " way or at the server, and was not kept; run the same command again"
            )

    def explain(status: int) -> str:
        return f"the server does not hand it out ({status}): name the address of a mirror in {ENDPOINT}"

    download(
        Remote(what=what, key=checkpoint.sha256, ask=ask, explain=explain, verify=verify),
        destination,
        patience,
    )
