"""The address and the trust of a charmed keystone, from a client that answers as documented."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from lab.base.errors import InfrastructureError
from scripts.deployment import charmed_keystone
from scripts.drivers.juju.client import JujuModel
from scripts.drivers.juju.status import Status
from scripts.drivers.topology import Application
from scripts.roles import keystone
from tests import jujufake
from tests.jujufake import Juju, changed, status

PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"
KEYSTONE = Application("keystone", keystone, ("node3",), ("keystone",), {})
ROOT = {"vault/0": {"id": "4", "results": {"output": PEM, "return-code": 0}, "status": "completed", "unit": "vault/0"}}


@pytest.fixture
def juju(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Juju:
    made = jujufake.install(tmp_path, monkeypatch)
    made.write("get-root-ca", ROOT)
    return made


def related(*certificates: Any) -> dict[str, Any]:
    """Return a status whose keystone has its certificates from applications."""
    document = status()
    relations = document["applications"]["keystone"]["relations"] | {"certificates": list(certificates)}
    return changed(document, (lambda made: made["applications"]["keystone"], {"relations": relations}))


def settings(juju: Juju, document: dict[str, Any], **options: object) -> dict[str, str]:
    juju.write(
        "config", {"application": "keystone", "settings": {name: {"value": each} for name, each in options.items()}}
    )
    model = JujuModel("lab", "admin", "qalab-testlab-trunk")
    return charmed_keystone.settings(model, KEYSTONE, Status.model_validate(document))


@pytest.mark.parametrize(
    ("options", "url"),
    [
        ({}, "http://10.142.7.23:5000/v3"),
        ({"vip": ""}, "http://10.142.7.23:5000/v3"),
        ({"vip": "10.9.0.5 10.8.0.5"}, "http://10.9.0.5:5000/v3"),
        ({"vip": "fd00::5"}, "http://[fd00::5]:5000/v3"),
        ({"service-port": 35000}, "http://10.142.7.23:35000/v3"),
    ],
)
def test_address(juju: Juju, options: dict[str, object], url: str) -> None:
    found = settings(juju, status(), **options)
    assert (found["auth_url"], found["region"], "ca" in found) == (url, "RegionOne", False)


@pytest.mark.parametrize("vault", ["vault", {"related-application": "vault", "interface": "tls-certificates"}])
def test_authority_is_vault(juju: Juju, vault: object) -> None:
    """Juju 3.0 and earlier name a related application, later ones describe it."""
    found = settings(juju, related(vault), vip="10.9.0.5", region="Here")
    assert found == {
        "auth_url": "https://10.9.0.5:5000/v3", "user": "admin", "password": "sesame", "domain": "admin_domain",
        "region": "Here", "ca": PEM,
    }  # fmt: skip
    assert juju.calls("run")[-1][-2:] == ["vault/leader", "get-root-ca"]


@pytest.mark.parametrize(("ca", "wanted"), [(PEM, {"ca": PEM}), ("", {})])
def test_certificate_is_an_option(juju: Juju, ca: str, wanted: dict[str, str]) -> None:
    found = settings(juju, status(), ssl_cert="Q0VSVA==", ssl_ca=base64.b64encode(ca.encode()).decode())
    assert found["auth_url"] == "https://10.142.7.23:5000/v3"
    assert {name: found[name] for name in found.keys() & {"ca"}} == wanted


def test_unknown_authority_is_the_labs_fault(juju: Juju) -> None:
    with pytest.raises(InfrastructureError, match=r"^keystone: its certificates are those of easyrsa \(vault is"):
        settings(juju, related("easyrsa"))


def test_missing_certificate_of_authority_is_the_labs_fault(juju: Juju) -> None:
    results = {"vault/0": ROOT["vault/0"] | {"results": {"return-code": 0}}}
    juju.write("get-root-ca", results)
    with pytest.raises(InfrastructureError, match="vault: get-root-ca returns no certificate"):
        settings(juju, related("vault"))
    with pytest.raises(InfrastructureError, match="keystone: its option ssl_ca is not Base64"):
        settings(juju, status(), ssl_cert="Q0VSVA==", ssl_ca="abc")


def test_options_are_not_logged(juju: Juju, tmp_path: Path) -> None:
    juju.write("config", {"settings": {"admin-password": {"value": "sesame"}, "vip": {}}})
    with (tmp_path / "log").open("w") as log:
        assert JujuModel("lab", "admin", "m", log).options("keystone") == {"admin-password": "sesame"}
    assert "sesame" not in (tmp_path / "log").read_text()
