"""Print the lower bounds of pyproject.toml as constraints for pip: `name>=1.2` becomes `name==1.2`."""

import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement


def lower_bounds(path: Path) -> Iterator[str]:
    """A constraint for each requirement of the build, the project and its extras."""
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    groups = [content["build-system"]["requires"], content["project"]["dependencies"]]
    groups += content["project"]["optional-dependencies"].values()
    for requirement in (Requirement(text) for group in groups for text in group):
        if requirement.name == content["project"]["name"]:
            continue  # the extra `dev` includes the others
        bounds = [part.version for part in requirement.specifier if part.operator == ">="]
        if len(bounds) != 1:
            sys.exit(f"{path}: found '{requirement}', expected one lower bound, name>=version")
        marker = f"; {requirement.marker}" if requirement.marker else ""
        yield f"{requirement.name}=={bounds[0]}{marker}"


if __name__ == "__main__":
    print("\n".join(lower_bounds(Path(sys.argv[1]))))
