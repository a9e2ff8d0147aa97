"""A self-signed TLS certificate, a function of a secret seed.

Peers pin the certificate of each other from the signed record, so no authority, name or date in it means
anything: trust comes from the record. It is a function of the seed, so it survives a restart, and published
records stay right.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from btard.crypto import digest
from btard.types import Digest

SERVER_NAME = "peer.btard"
"""The one name in every certificate; clients ask for it whatever the address."""

CERTIFICATE_BYTES_MAX = 1024

# The order of P-256's group: private keys are 1 to this minus 1.
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@dataclass(frozen=True, slots=True, repr=False)
class Certificate:
    """A certificate (DER) and its private key (PEM). The key never leaves this peer."""

    der: bytes
    key_pem: bytes

    @classmethod
    def from_seed(cls, seed: bytes) -> Certificate:
        """Make the certificate of a secret seed, e.g. of an identity. Same seed, same bytes (RFC 6979).

        P-256, because gRPC's TLS does not take Ed25519 certificates. The key is derived with domain
        separation: it reveals nothing about the seed or about other keys of it.
        """
        wide = digest("network tls key", seed, b"0") + digest("network tls key", seed, b"1")
        # 512 bits modulo a 256-bit order: the bias is below 2^-255.
        key = ec.derive_private_key(int.from_bytes(wide, "big") % (_P256_ORDER - 1) + 1, ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, SERVER_NAME)])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(datetime(2020, 1, 1))  # no clock: dates mean nothing here
            .not_valid_after(datetime(9999, 12, 31))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(SERVER_NAME)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, hashes.SHA256(), ecdsa_deterministic=True)
        )
        return cls(
            der=certificate.public_bytes(Encoding.DER),
            key_pem=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        )

    @property
    def pem(self) -> bytes:
        """The certificate as PEM."""
        return pem_of(self.der)


def pem_of(der: bytes) -> bytes:
    """Return a DER certificate as PEM. Raises ValueError or x509.InvalidVersion if it is malformed."""
    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)


def is_certificate(der: bytes) -> bool:
    """Return whether hostile bytes are a certificate of bounded size that a client can pin."""
    try:
        return len(der) <= CERTIFICATE_BYTES_MAX and bool(pem_of(der))
    except (ValueError, x509.InvalidVersion):
        return False


def fingerprint(der: bytes) -> Digest:
    """Return the digest by which a hello names the server that it is meant for."""
    return digest("network certificate", der)
