"""Certificates for a test: an authority, and what it signs, as PEM files made by openssl."""

from __future__ import annotations

import subprocess
from pathlib import Path

SUBJECT = "/CN={}"


class Authority:
    """Signs certificates; `certificate` is what its friends trust."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder
        self.certificate = folder / f"{name}.pem"
        self._key = folder / f"{name}.key"
        openssl("req", "-x509", "-new", *KEY, "-keyout", self._key, "-out", self.certificate,
                "-days", "2", "-subj", SUBJECT.format(name))  # fmt: skip

    def sign(self, name: str, host: str = "127.0.0.1") -> tuple[Path, Path]:
        """Return the certificate and the key of *name*, which answers on the address *host*."""
        request, certificate, key = (self._folder / f"{name}.{end}" for end in ("csr", "pem", "key"))
        extensions = self._folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName=IP:{host}\n")
        openssl("req", "-new", *KEY, "-keyout", key, "-out", request, "-subj", SUBJECT.format(name))
        openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self._key, "-CAcreateserial",
                "-days", "2", "-extfile", extensions, "-out", certificate)  # fmt: skip
        return certificate, key


# Elliptic curves: an RSA key takes up to a second to make.
KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def openssl(*arguments: str | Path) -> None:
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
