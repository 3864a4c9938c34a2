"""An Apache Kafka that lets nobody in unproven: TLS with SASL on one port, mutual TLS on another."""

from __future__ import annotations

from pathlib import Path

from tests.integration.security.certificates import Authority
from tests.kafka.broker import HOST, KafkaBroker, KafkaCluster, free_ports
from tests.kafka.jars import KafkaInstall

USER, PASSWORD = "deskpulse", "correct horse = battery"
MODULES = "org.apache.kafka.common.security"


class SecuredBroker(KafkaBroker):
    """A broker with two more listeners; the plain one stays, for the fixture that waits until it is up."""

    def __init__(self, install: KafkaInstall, folder: Path, certificates: Path) -> None:
        super().__init__(install, 1, folder)
        self.sasl_port, self.mutual_port, self.plaintext_sasl_port = free_ports(3)
        self.authority = Authority(certificates)
        certificate, key = self.authority.sign("broker")
        self._identity = certificates / "broker-identity.pem"
        self._identity.write_text(key.read_text() + certificate.read_text())

    def _java(self, *arguments: str) -> list[str]:
        if arguments[:2] == ("kafka.tools.StorageTool", "format"):
            # SCRAM's users are records of the cluster, so the first ones come with the format.
            arguments += tuple(f"--add-scram=SCRAM-SHA-{bits}=[name={USER},password={PASSWORD}]" for bits in (256, 512))
        return super()._java(*arguments)

    def _node_settings(self, voters: str) -> dict[str, str]:
        plain = super()._node_settings(voters)
        ports = {"SASL": self.sasl_port, "MUTUAL": self.mutual_port, "BARE": self.plaintext_sasl_port}
        listeners = "".join(f",{name}://{HOST}:{port}" for name, port in ports.items())
        login = f'{MODULES}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
        protocols = plain.get("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT")
        more = {
            "listeners": plain["listeners"] + listeners,
            "advertised.listeners": plain["advertised.listeners"] + listeners,
            "listener.security.protocol.map": f"{protocols},SASL:SASL_SSL,MUTUAL:SSL,BARE:SASL_PLAINTEXT",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self._identity),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.authority.certificate),
            "listener.name.mutual.ssl.client.auth": "required",
        }
        for listener in ("sasl", "bare"):
            more[f"listener.name.{listener}.sasl.enabled.mechanisms"] = "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512"
            more[f"listener.name.{listener}.plain.sasl.jaas.config"] = login
            for bits in (256, 512):
                scram = f"{MODULES}.scram.ScramLoginModule required;"
                more[f"listener.name.{listener}.scram-sha-{bits}.sasl.jaas.config"] = scram
        return plain | more


class SecuredCluster(KafkaCluster):
    """One secured broker."""

    def __init__(self, install: KafkaInstall, folder: Path) -> None:
        super().__init__(install, folder, size=0)
        certificates = folder / "certificates"
        certificates.mkdir()
        self.broker = SecuredBroker(install, folder / "broker", certificates)
        self.brokers = [self.broker]
