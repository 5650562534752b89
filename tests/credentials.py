"""An image with Content Credentials, signed by a certificate that is made for it."""

import datetime
import io
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SIGNER = "Signer of the tests"
TRAINED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"


def signed(image: bytes, kind: str = "image/jpeg", kept_at: str | None = None) -> bytes:
    """Return an image's file with a manifest that says a trained algorithm made it.

    Args:
        image: the file without.
        kind: of the image.
        kept_at: an address; the file then holds that in the manifest's place.
    """
    import c2pa

    root, own = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    chain = [
        _certificate(SIGNER, own, "Root of the tests", root, authority=False),
        _certificate("Root of the tests", root, "Root of the tests", root, authority=True),
    ]
    pem = b"".join(each.public_bytes(serialization.Encoding.PEM) for each in chain).decode()

    def sign(data: bytes) -> bytes:
        r, s = decode_dss_signature(own.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    action = {"action": "c2pa.created", "digitalSourceType": TRAINED}
    manifest = {
        "claim_generator_info": [{"name": "A generator", "version": "1"}],
        "format": kind,
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [action]}}],
    }
    signer = c2pa.Signer.from_callback(sign, c2pa.C2paSigningAlg.ES256, pem)
    found = io.BytesIO()
    builder = c2pa.Builder(manifest, c2pa.Context())
    if kept_at:
        builder.set_remote_url(kept_at)
        builder.set_no_embed()
    builder.sign(signer, kind, io.BytesIO(image), found)
    return found.getvalue()


def _certificate(name: str, key: Any, issuer: str, issued_by: Any, *, authority: bool) -> x509.Certificate:
    start = datetime.datetime(2026, 1, 1)
    usage = [False] * 9
    usage[5 if authority else 0] = True  # signs certificates, or content
    made = (
        x509.CertificateBuilder()
        .subject_name(_named(name))
        .issuer_name(_named(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=36_500))
        .add_extension(x509.BasicConstraints(authority, None), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issued_by.public_key()), critical=False
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.KeyUsage(*usage), critical=True)
    )
    if not authority:
        purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
        made = made.add_extension(purpose, critical=False)
    return made.sign(issued_by, hashes.SHA256())


def _named(name: str) -> x509.Name:
    return x509.Name(
        [x509.NameAttribute(oid, name) for oid in (NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME)]
    )
