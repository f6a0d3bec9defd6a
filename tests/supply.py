"""
Where the run-time requirements come from: known weaknesses, a bill of materials, licences.

    .venv-audit/bin/python -m tests.supply audit | sbom | licences

Uses pip-audit and cyclonedx-bom in an environment of their own; what is looked at is deploy/requirements.txt and the
environment that was installed from it (.venv).
"""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "deploy" / "requirements.txt"
OUT = ROOT / "build"
# Licences that ask for their notice and nothing else of a service, by their SPDX names.
ALLOWED = {
    "MIT", "MIT-CMU", "MIT-0", "BSD-2-Clause", "BSD-3-Clause", "0BSD", "Apache-2.0", "ISC", "HPND", "PSF-2.0",
    "Python-2.0", "Zlib", "CC0-1.0", "MPL-1.1", "MPL-2.0", "Unlicense",
}  # fmt: skip
# Packages whose metadata names no SPDX licence; what it says instead is beside it.
IN_WORDS = {"protobuf": "BSD-3-Clause"}  # "3-Clause BSD License"
PREFIX = "License :: OSI Approved :: "
CLASSIFIERS = {"BSD License": "BSD-3-Clause", "Apache Software License": "Apache-2.0", "MIT License": "MIT"}


def tool(name, *arguments):
    return subprocess.run(
        [str(Path(sys.executable).parent / name), *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


def pinned():
    """Name (as registries spell it) -> version of every run-time requirement."""
    pins = re.findall(r"^([\w.-]+)==([^\s;]+)(.*)$", REQUIREMENTS.read_text(encoding="utf-8"), re.MULTILINE)
    return {normal(name): version for name, version, rest in pins if "win32'" not in rest or "!=" in rest}


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def audit():
    """0: no known weakness; 1: at least one; 3: could not be told, which is said and is no pass."""
    done = tool("pip-audit", "--disable-pip", "--require-hashes", "-r", str(REQUIREMENTS), "--format", "json",
                "--progress-spinner", "off")  # fmt: skip
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except (json.JSONDecodeError, KeyError):
        print(f"NOT AUDITED: the database is out of reach: {done.stderr.strip().splitlines()[-1:]}")
        return 3
    unknown = [each for each in packages if "skip_reason" in each]
    weak = [each for each in packages if each.get("vulns")]
    for each in weak:
        for weakness in each["vulns"]:
            fixed = ", ".join(weakness["fix_versions"]) or "none"
            print(f"{each['name']} {each['version']}: {weakness['id']} (fixed in {fixed})")
    print(
        f"{len(packages) - len(unknown)} of {len(packages)} run-time requirements audited, {len(weak)} with weaknesses"
    )
    if weak:
        return 1
    if unknown or not packages:
        print(f"NOT AUDITED: {len(unknown)} packages, as the database does not answer: {unknown[0]['skip_reason']}")
        return 3
    return 0


def bill():
    """The bill of materials (CycloneDX 1.6) of what .venv has of the run-time requirements, with hashes."""
    installed = tool("cyclonedx-py", "environment", "--output-reproducible", "--of", "JSON", "--pyproject",
                     "pyproject.toml", ".venv/bin/python")  # fmt: skip
    hashed = tool("cyclonedx-py", "requirements", "--output-reproducible", "--of", "JSON", str(REQUIREMENTS))
    if installed.returncode or hashed.returncode:
        sys.exit(installed.stderr + hashed.stderr)
    document = json.loads(installed.stdout)
    wanted = pinned()
    sources = {normal(each["name"]): each for each in json.loads(hashed.stdout)["components"]}
    document["components"] = [each for each in document["components"] if normal(each["name"]) in wanted]
    for each in document["components"]:
        if not each.get("licenses") and normal(each["name"]) in IN_WORDS:
            each["licenses"] = [{"license": {"id": IN_WORDS[normal(each["name"])]}}]
        kept = sources[normal(each["name"])].get("externalReferences", [])
        # An index is where this machine found a file; the hash says which file it is.
        each["hashes"] = [digest for reference in kept for digest in reference.get("hashes", [])]
        each["externalReferences"] = [
            reference for reference in each.get("externalReferences", []) if reference["type"] != "distribution"
        ]
    known = {each["bom-ref"] for each in document["components"]} | {
        document["metadata"].get("component", {}).get("bom-ref")
    }
    document["dependencies"] = [
        {**each, **({"dependsOn": [ref for ref in each["dependsOn"] if ref in known]} if "dependsOn" in each else {})}
        for each in document["dependencies"]
        if each["ref"] in known
    ]
    return document


def licences_of(component):
    """The SPDX names of a component's licences: of an expression, all of them."""
    names = set()
    for each in component.get("licenses", []):
        if "expression" in each:
            names |= set(re.findall(r"[\w.+-]+", each["expression"])) - {"AND", "OR", "WITH"}
        else:
            said = each["license"].get("id") or each["license"].get("name", "")
            names.add(CLASSIFIERS.get(said.removeprefix(PREFIX), said))
    return names


def sbom():
    document = bill()
    OUT.mkdir(exist_ok=True)
    path = OUT / "sbom.cdx.json"
    path.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    missing = sorted(set(pinned()) - {normal(each["name"]) for each in document["components"]})
    without = [each["name"] for each in document["components"]
               if not each.get("hashes")]  # fmt: skip
    print(f"{path.relative_to(ROOT)}: {len(document['components'])} components, {len(without)} without a hash")
    for name in missing:
        print(f"not installed on this machine, so not in it: {name}")
    return 1 if without else 0


def licences():
    """A table of licences; 1 when one of them is not allowed, or not told."""
    wrong = 0
    for each in bill()["components"]:
        names = licences_of(each)
        verdict = "" if names and names <= ALLOWED else "NOT ALLOWED"
        wrong += bool(verdict)
        print(f"{each['name']:<22}{each['version']:<14}{', '.join(sorted(names)) or 'not told':<40}{verdict}".rstrip())
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit({"audit": audit, "sbom": sbom, "licences": licences}[sys.argv[1]]())
