"""A self-signed certificate for 127.0.0.1."""

import subprocess
from pathlib import Path

import pytest


def self_signed(folder: Path) -> tuple[str, str]:
    """Files of a certificate and its key, valid for a day; skips the test when openssl fails."""
    certificate, key = folder / "cert.pem", folder / "key.pem"
    result = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate,
         "-days", "1", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=False, capture_output=True,
    )  # fmt: skip
    if result.returncode:
        pytest.skip("openssl cannot make a certificate")
    return str(certificate), str(key)
