"""Finds, and where it may installs, what a Kafka broker needs: Java 17 or newer and the jars that pom.xml pins."""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

POM = Path(__file__).with_name("pom.xml")
JAVA_AT_LEAST = 17  # Kafka's brokers need it since 4.0.
COPY_DEPENDENCIES = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
# -U: ask again for what a failed try before has marked as missing.
MAVEN = ("mvn", "-q", "-B", "-U")
DEBIAN_PACKAGES = ("openjdk-17-jre-headless", "maven")
DOWNLOAD_LIMIT_S = 300.0
COLOUR = re.compile(r"\x1b\[[0-9;]*m")  # Maven resets it even where it uses none.
ERROR_LINE = re.compile(r"\[ERROR\]|^E: ")  # Maven's and apt's.
# What they say when a host does not answer, as opposed to answering "no such thing".
NETWORK_TROUBLE = re.compile(
    r"Unknown host|Connection (refused|reset|timed out)|timed out|Network is unreachable|No route to host"
    r"|Temporary failure|Could not (connect|resolve (host|'))|status code: 5\d\d",
    re.IGNORECASE,
)


class KafkaUnavailableError(Exception):
    """No broker can be started here. `network` tells whether that is only because a registry cannot be reached."""

    def __init__(self, reason: str, *, network: bool = False) -> None:
        super().__init__(reason)
        self.network = network


@dataclass(frozen=True)
class KafkaInstall:
    """What it takes to start a broker: the `java` command and the class path of the jars."""

    java: str
    classpath: str


def find_kafka() -> KafkaInstall:
    """Returns the Java and the jars to use, getting what is missing first. Raises KafkaUnavailableError."""
    jars = _cache() / f"kafka-{hashlib.sha256(POM.read_bytes()).hexdigest()[:12]}"
    java = _find_java()
    if java is None or (not jars.exists() and shutil.which("mvn") is None):
        _install_debian_packages()
        java = _find_java()
    if java is None:
        raise KafkaUnavailableError(f"no Java {JAVA_AT_LEAST} or newer on this machine")
    if not jars.exists():
        _download(jars)
    return KafkaInstall(java, f"{jars}/*")


def _cache() -> Path:
    return Path(os.environ.get("DESKPULSE_CACHE") or Path.home() / ".cache" / "deskpulse")


def _find_java() -> str | None:
    candidates = [shutil.which("java")]
    if home := os.environ.get("JAVA_HOME"):
        candidates.insert(0, shutil.which("java", path=f"{home}/bin"))
    # Debian's default `java` may be older than one that is installed beside it.
    candidates += [str(path) for path in sorted(Path("/usr/lib/jvm").glob("*/bin/java"))]
    return next((java for java in candidates if java and _java_version(java) >= JAVA_AT_LEAST), None)


def _java_version(java: str) -> int:
    """The feature release of a `java` command; 0 when it does not run (macOS has such a stub)."""
    shown = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    version = re.search(r'version "(\d+)', shown.stderr)
    return int(version[1]) if shown.returncode == 0 and version else 0


def _install_debian_packages() -> None:
    wanted = f"Java {JAVA_AT_LEAST} and Maven"
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise KafkaUnavailableError(f"{wanted} are not installed, and only root on Debian may install them here")
    run_client(["apt-get", "-qq", "update"], "the Debian package lists cannot be updated")
    run_client(
        ["apt-get", "-qq", "install", "-y", "--no-install-recommends", *DEBIAN_PACKAGES],
        f"{wanted} cannot be installed",
    )


def _download(jars: Path) -> None:
    """Copies the jars into a fresh folder and renames it, so that a broken download is never taken for a whole one."""
    jars.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=jars.parent) as scratch:
        whole = Path(scratch) / "jars"
        options = ["-DincludeScope=runtime", f"-DoutputDirectory={whole}"]
        run_client([*MAVEN, "-f", str(POM), COPY_DEPENDENCIES, *options], "Kafka's jars cannot be downloaded")
        try:
            whole.rename(jars)
        except OSError:
            if not jars.exists():  # Another test run may have been quicker; then its folder is as good.
                raise


def run_client(command: list[str], failure: str) -> None:
    """Runs a package client. Raises KafkaUnavailableError with `failure` and the first error line of its output."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=DOWNLOAD_LIMIT_S, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        raise KafkaUnavailableError(f"{failure}: no end after {DOWNLOAD_LIMIT_S:.0f} s", network=True) from None
    if done.returncode != 0:
        output = COLOUR.sub("", done.stdout + done.stderr)
        errors = [line for line in output.splitlines() if ERROR_LINE.search(line)]
        reason = errors[0] if errors else f"exit code {done.returncode}"
        raise KafkaUnavailableError(f"{failure}: {reason}", network=bool(NETWORK_TROUBLE.search(output)))
