#!/usr/bin/env python3
"""Checks the #include lines of the tree against include_rules.txt.

  include_rules.py --root DIR     prints every violation and exits 1 if there is one
  include_rules.py --self-test    proves that the checker finds violations: in include_rules/fixture
                                  it must report exactly the lines that end in "// violation"
"""

import argparse
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
SOURCES = {".hpp", ".cpp", ".h", ".c"}


class Rules:
    def __init__(self, path):
        self.folder, self.uses, self.forbidden, self.outside = {}, {}, {}, {}
        for number, line in enumerate(path.read_text().splitlines(), 1):
            line = line.split("#")[0].strip()
            if not line:
                continue
            head, colon, tail = line.partition(":")
            words, values = head.split(), tail.split()
            if colon and len(words) == 3 and words[0] == "area":
                self.folder[words[1]] = pathlib.PurePath(words[2])
                self.uses[words[1]] = {words[1], *values}
            elif colon and len(words) == 2 and words[0] == "forbid":
                self.forbidden[words[1]] = tuple(values)
            elif colon and len(words) == 2 and words[0] == "outside":
                self.outside[words[1]] = set(values)
            else:
                sys.exit(f"{path}:{number}: cannot read this rule: {line}")
        named = {area for uses in self.uses.values() for area in uses}
        unknown = (named | set(self.forbidden) | set(self.outside)) - set(self.folder)
        if unknown:
            sys.exit(f"{path}: no such area: {', '.join(sorted(unknown))}")

    def area_of(self, path):
        """The area whose folder holds `path` (relative to the root), or None."""
        return next((a for a, f in self.folder.items() if path.is_relative_to(f)), None)


def resolve(root, rules, source, area, header):
    """The file of the tree that `header` means in `source`, relative to the root, or None."""
    own = root / rules.folder[area]
    roots = [root / source.parent, own, own.parent, root / "libparticle/include",
             root / "libparticle/src", *(root / f for f in rules.folder.values()), root]
    for base in roots:
        candidate = (base / header).resolve()
        if candidate.is_file() and candidate.is_relative_to(root):
            return candidate.relative_to(root)
    return None


def judge(root, rules, source, area, header):
    """What is wrong with `source` including `header`, or None."""
    target = resolve(root, rules, source, area, header)
    if target is not None:
        owner = rules.area_of(target)
        if owner is None:
            return f"{area} includes {target}, which belongs to no area it may use"
        if owner not in rules.uses[area]:
            return f"{area} may not include {owner} ({target})"
        return None
    if header.startswith("particle/") and header != "particle/version.hpp":
        return f"{header} is not a public header"
    for prefix in rules.forbidden.get(area, ()):
        if header.startswith(prefix):
            return f"{area} may not include {header}"
    standard = "/" not in header and not header.endswith(".h")
    if area in rules.outside and not standard and header not in rules.outside[area]:
        return f"{area} may include only its own headers, the standard library and " + ", ".join(
            sorted(rules.outside[area]))
    return None


def check(root, rules):
    """Yields (path, line number, line, problem or None) for every #include of every area."""
    for area, folder in rules.folder.items():
        for path in sorted((root / folder).rglob("*")):
            if path.suffix not in SOURCES or not path.is_file():
                continue
            source = path.relative_to(root)
            if rules.area_of(source) != area:
                continue
            for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
                match = INCLUDE.match(line)
                if match:
                    yield source, number, line, judge(root, rules, source, area, match[2])


def self_test(rules):
    wrong = seen = 0
    for source, number, line, problem in check(HERE / "include_rules/fixture", rules):
        expected = line.rstrip().endswith("// violation")
        seen += expected
        if expected != (problem is not None):
            wrong += 1
            verdict = "reported" if problem else "missed"
            print(f"{source}:{number}: wrongly {verdict}: {line.strip()} ({problem})")
    if not seen:
        sys.exit("the fixture holds no violation")
    print(f"{seen} planted violations, {wrong} wrong verdicts")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rules", type=pathlib.Path, default=HERE / "include_rules.txt")
    parser.add_argument("--root", type=pathlib.Path, default=HERE.parent)
    parser.add_argument("--self-test", action="store_true")
    arguments = parser.parse_args()
    rules = Rules(arguments.rules)
    if arguments.self_test:
        return 1 if self_test(rules) else 0
    total = broken = 0
    for source, number, _, problem in check(arguments.root.resolve(), rules):
        total += 1
        if problem:
            broken += 1
            print(f"{source}:{number}: {problem}")
    print(f"{total} includes checked, {broken} against the rules of {arguments.rules.name}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
