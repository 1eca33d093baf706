"""What Kubernetes says of the kinds that our manifest uses, cut out of the 17,000 files of kubernetes-validate.

    pip install kubernetes-validate==1.37.0
    python -m scripts.kubernetes

The schemas are Kubernetes' own (Apache License 2.0), made to refuse a key that is not there. Descriptions are left
out, as they refuse nothing.
"""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

OUT = Path(__file__).parents[1] / "tests" / "kubernetes"
VERSIONS = ("1.30", "1.37")
KINDS = {"ConfigMap": "v1", "CronJob": "batch-v1", "PersistentVolumeClaim": "v1", "Secret": "v1"}
NOISE = ("description", "x-kubernetes", "$id")


def excerpt(folder: Path) -> dict[str, Any]:
    """Return the schema of each kind, with the definitions that they refer to."""
    definitions = _read(folder / "_definitions.json")["$defs"]
    wanted: list[str] = []
    kinds = {kind: _bare(_read(folder / f"{kind.lower()}-{api}.json"), wanted) for kind, api in KINDS.items()}
    kept: dict[str, Any] = {}
    while wanted:
        name = wanted.pop()
        if name not in kept:
            kept[name] = _bare(definitions[name], wanted)
    return {"kinds": kinds, "$defs": kept}


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _bare(schema: Any, wanted: list[str]) -> Any:
    """Return a schema without descriptions; what it refers to is added to those wanted."""
    match schema:
        case {"$ref": str() as reference, **rest}:
            name = reference.rpartition("/")[2]
            wanted.append(name)
            return {"$ref": f"#/$defs/{name}"} | _bare(rest, wanted)
        case {"properties": dict() as properties, **rest}:
            named = {name: _bare(each, wanted) for name, each in properties.items()}
            return {"properties": named} | _bare(rest, wanted)
        case dict():
            return {key: _bare(each, wanted) for key, each in schema.items() if not key.startswith(NOISE)}
        case list():
            return [_bare(each, wanted) for each in schema]
        case _:
            return schema


def main() -> int:
    """Write the excerpts."""
    package = find_spec("kubernetes_validate")
    if not package or not package.origin:
        print("kubernetes-validate is not installed: pip install kubernetes-validate==1.37.0", file=sys.stderr)
        return 2
    for version in VERSIONS:
        (folder,) = Path(package.origin).parent.glob(f"kubernetes-json-schema/v{version}*-local-strict")
        text = json.dumps(excerpt(folder), separators=(",", ":"), sort_keys=True)
        (OUT / f"v{version}.json").write_text(text.replace('"io.k8s', '\n"io.k8s') + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
