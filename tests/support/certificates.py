"""Self-signed certificates, and certificates of a private authority, with the defects that a test needs."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID


def self_signed(
    folder: Path, *, host: str = "localhost", ends: timedelta = timedelta(days=1), name: str = "certificate"
) -> tuple[Path, Path]:
    """Write a self-signed certificate and its key, and return their paths.

    Args:
        folder: the folder to write to.
        host: the host name in the certificate.
        ends: the time from now to its end; it is valid for the 90 days before that.
        name: the name of the files, without suffix.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    end = datetime.now(UTC) + ends
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(end - timedelta(days=90))
        .not_valid_after(end)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = folder / f"{name}.pem", folder / f"{name}.key"
    certificate_file.write_bytes(certificate.public_bytes(Encoding.PEM))
    key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return certificate_file, key_file


def issued(
    folder: Path,
    *,
    host: str = "localhost",
    begins: timedelta = timedelta(days=-1),
    ends: timedelta = timedelta(days=90),
    authority: Sequence[str] = ("basicConstraints", "keyUsage", "subjectKeyIdentifier"),
    extensions: Sequence[str] = ("subjectAltName", "authorityKeyIdentifier", "serverAuth"),
    basic_constraints_critical: bool = True,
) -> tuple[Path, Path, Path]:
    """Write an authority's certificate, a certificate that it issued, and the latter's key; return their paths.

    Args:
        folder: the folder to write to.
        host: the host name in the certificate, which is also its common name.
        begins: the time from now to its start.
        ends: the time from now to its end.
        authority: the extensions of the authority's certificate.
        extensions: the extensions of the host's; `clientAuth` and `serverAuth` are its extended key usage.
        basic_constraints_critical: whether the authority's basicConstraints are critical.
    """
    key, authority_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    now = datetime.now(UTC)
    of_authority: dict[str, tuple[x509.ExtensionType, bool]] = {
        "basicConstraints": (x509.BasicConstraints(ca=True, path_length=None), basic_constraints_critical),
        "keyUsage": (_MAY_SIGN, True),
        "subjectKeyIdentifier": (x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key()), False),
    }
    of_host: dict[str, tuple[x509.ExtensionType, bool]] = {
        "subjectAltName": (x509.SubjectAlternativeName([x509.DNSName(host)]), False),
        "authorityKeyIdentifier": (
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()),
            False,
        ),
        "serverAuth": (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        "clientAuth": (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False),
    }
    certificates = []
    for name, public_key, begin, end, chosen in (
        ("An authority", authority_key.public_key(), timedelta(days=-90), timedelta(days=90), authority),
        (host, key.public_key(), begins, ends, extensions),
    ):
        builder = (
            x509.CertificateBuilder()
            .subject_name(_named(name))
            .issuer_name(_named("An authority"))
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + begin)
            .not_valid_after(now + end)
        )
        for each in chosen:
            extension, critical = (of_authority | of_host)[each]
            builder = builder.add_extension(extension, critical=critical)
        certificates.append(builder.sign(authority_key, hashes.SHA256()))
    files = (folder / "authority.pem", folder / "issued.pem", folder / "issued.key")
    for file, certificate in zip(files, certificates, strict=False):
        file.write_bytes(certificate.public_bytes(Encoding.PEM))
    files[2].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return files


_MAY_SIGN = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
