"""Make data/local/mixed.zip, as many faces as images of CIFAKE, for the run `mixed` of real_run.py.

    python benchmarks/mixed_archive.py

Of the faces it has the publisher's parts train and valid, of CIFAKE the part train: the test parts of both
stay unseen. Of whichever has more images of a class, as many are taken as the other has, evenly. The
archive is laid out as CIFAKE's, and the same bytes each time. Needs faces.zip and cifake.zip in data/local.
"""

import sys
from zipfile import ZipFile, ZipInfo

from deepfake_ensemble.archives.layouts import FAKE, LAYOUTS, REAL
from deepfake_ensemble.foundation.errors import UserError, exiting
from deepfake_ensemble.foundation.files import replacing_file
from real_run import LOCAL

ARCHIVE = LOCAL / "mixed.zip"


def mix(faces: ZipFile, cifake: ZipFile, mixed: ZipFile) -> int:
    """Fill the archive, and return how many images it has of each of the two."""
    written = 0
    for label, folder in ((REAL, "REAL"), (FAKE, "FAKE")):
        of_faces = _of(faces, "faces", label, ("train", "valid"))
        of_cifake = _of(cifake, "cifake", label, ("train",))
        count = min(len(of_faces), len(of_cifake))
        for at in range(count):
            # Both parts are pooled, and split by us; an archive must have both.
            place = f"{('train', 'test')[at % 2]}/{folder}"
            for archive, names, kind in ((faces, of_faces, "face"), (cifake, of_cifake, "cifake")):
                _copy(archive, names[at * len(names) // count], mixed, f"{place}/{kind}-{at:06}.jpg")
        written += count
    return written


def _of(archive: ZipFile, layout: str, label: int, parts: tuple[str, ...]) -> list[str]:
    """Return the names of an archive's images of one class in the publisher's parts, sorted."""
    places = {name: LAYOUTS[layout].place(name) for name in archive.namelist()}
    return sorted(name for name, at in places.items() if at and at.label == label and at.partition in parts)


def _copy(source: ZipFile, name: str, target: ZipFile, to: str) -> None:
    target.writestr(ZipInfo(to), source.read(name))  # with ZipInfo's date, and no word of today's


def main() -> None:
    for name in ("faces", "cifake"):
        if not (LOCAL / f"{name}.zip").is_file():
            raise UserError(f"{LOCAL / name}.zip: no such file: put your copy of Kaggle's archive there")
    with (
        ZipFile(LOCAL / "faces.zip") as faces,
        ZipFile(LOCAL / "cifake.zip") as cifake,
        replacing_file(ARCHIVE) as partial,
        ZipFile(partial, "w") as mixed,
    ):
        written = mix(faces, cifake, mixed)
    print(f"{ARCHIVE}: {written:,} faces, and as many images of CIFAKE")


if __name__ == "__main__":
    if {"-h", "--help"} & set(sys.argv[1:]):
        sys.exit(__doc__)
    with exiting():
        main()
