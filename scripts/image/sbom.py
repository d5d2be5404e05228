"""Lists what is inside an image, as SPDX 2.3 in JSON, on standard output.

Run by scripts/image/package.sh: `sbom.py NAME DPKG_STATUS ENVIRONMENT`. Debian packages come from
dpkg's own list, Python packages from the metadata that pip left in the virtual environment. The
document says nothing that differs between two builds of the same: its time is SOURCE_DATE_EPOCH,
its name space a hash of its packages.
"""

import hashlib
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.message import Message
from email.parser import Parser
from pathlib import Path
from typing import Any
from urllib.parse import quote

PRODUCT = "xdp-redirect-operator"
HOME = "https://github.com/xdp-redirect/xdp-redirect-operator"
UNKNOWN = "NOASSERTION"
# Characters that an SPDX identifier may not have.
FOREIGN = re.compile(r"[^A-Za-z0-9.-]")
# What SPDX takes for an expression; other texts ("BSD License") are only a comment there.
EXPRESSION = re.compile(r"[A-Za-z0-9.+-]+(?: (?:AND|OR|WITH) [A-Za-z0-9.+-]+)*")


def document(name: str, packages: list[dict[str, Any]], created: str) -> dict[str, Any]:
    """The whole document: `packages`, of which the first is the image itself."""
    content = json.dumps(packages, sort_keys=True).encode()
    root = packages[0]["SPDXID"]
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": name,
        "documentNamespace": f"{HOME}/sbom/{name}-{hashlib.sha256(content).hexdigest()[:32]}",
        "creationInfo": {
            "created": created,
            "creators": [f"Tool: {PRODUCT} scripts/image/sbom.py"],
        },
        "packages": packages,
        "relationships": [
            relationship("SPDXRef-DOCUMENT", "DESCRIBES", root),
            *(relationship(root, "CONTAINS", package["SPDXID"]) for package in packages[1:]),
        ],
    }


def relationship(subject: str, kind: str, to: str) -> dict[str, str]:
    """One line of the list of relationships."""
    return {"spdxElementId": subject, "relationshipType": kind, "relatedSpdxElement": to}


def package(kind: str, name: str, version: str, **more: Any) -> dict[str, Any]:
    """One package with the fields that SPDX requires; `more` are further ones."""
    return {
        "SPDXID": "SPDXRef-" + FOREIGN.sub("-", f"{kind}-{name}-{version}"),
        "name": name,
        "versionInfo": version,
        "downloadLocation": UNKNOWN,
        "filesAnalyzed": False,
        "licenseConcluded": UNKNOWN,
        "licenseDeclared": UNKNOWN,
        "copyrightText": UNKNOWN,
        **more,
    }


def purl(locator: str) -> list[dict[str, str]]:
    """The reference by which scanners look for known vulnerabilities."""
    return [
        {
            "referenceCategory": "PACKAGE-MANAGER",
            "referenceType": "purl",
            "referenceLocator": locator,
        }
    ]


def debian_packages(status: str, release: str) -> Iterator[dict[str, Any]]:
    """What dpkg has installed, from the text of /var/lib/dpkg/status."""
    for paragraph in status.split("\n\n"):
        fields: Message = Parser().parsestr(paragraph, headersonly=True)
        if fields.get("Status") != "install ok installed":
            continue
        name, version = str(fields["Package"]), str(fields["Version"])
        source = str(fields.get("Source", name)).split()[0]
        words = f"arch={fields['Architecture']}&distro=debian-{release}&upstream={source}"
        yield package(
            "deb",
            name,
            version,
            supplier=f"Organization: {fields['Maintainer']}",
            externalRefs=purl(f"pkg:deb/debian/{quote(name)}@{quote(version)}?{words}"),
        )


def python_packages(environment: Path) -> Iterator[dict[str, Any]]:
    """What pip has installed in a virtual environment."""
    for directory in environment.glob("lib/python3*/site-packages/*.dist-info"):
        fields: Message = Parser().parsestr((directory / "METADATA").read_text(), headersonly=True)
        # As the index of packages writes it.
        name = re.sub(r"[-_.]+", "-", str(fields["Name"])).lower()
        version = str(fields["Version"])
        license = str(fields.get("License-Expression") or fields.get("License") or "")
        declared = {"licenseDeclared": license} if EXPRESSION.fullmatch(license) else {}
        yield package(
            "pypi",
            name,
            version,
            externalRefs=purl(f"pkg:pypi/{name}@{version}"),
            **declared,
        )


def image(name: str, version: str) -> dict[str, Any]:
    """The image itself."""
    return package(
        "image",
        f"xdp-redirect-{name}",
        version,
        licenseDeclared="Apache-2.0 AND GPL-2.0-only",
        primaryPackagePurpose="CONTAINER",
    )


def main(argv: list[str], environ: Mapping[str, str]) -> None:
    """Write the document of one image."""
    name, status, environment = argv[0], Path(argv[1]), Path(argv[2])
    release = Path("/etc/debian_version").read_text().strip()
    inside = [*debian_packages(status.read_text(), release), *python_packages(environment)]
    inside.sort(key=lambda found: str(found["SPDXID"]))
    (version,) = (found["versionInfo"] for found in inside if found["name"] == PRODUCT)
    created = datetime.fromtimestamp(int(environ["SOURCE_DATE_EPOCH"]), UTC)
    text = document(
        f"xdp-redirect-{name}-{version}",
        [image(name, version), *inside],
        created.strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
    json.dump(text, sys.stdout, indent=1, sort_keys=True)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main(sys.argv[1:], os.environ)
