"""allow: reads scripts/allow.txt, the exceptions to our own rules, each with its reason."""

import sys
from pathlib import Path

FILE = Path(__file__).with_name("allow.txt")


class Exceptions:
    """The exceptions to `rules`. An exception that nothing needs any more is an error too."""

    def __init__(self, rules):
        self.unused = set()
        self.entries = set()
        for number, line in enumerate(FILE.read_text().splitlines(), 1):
            entry, _, reason = line.partition("#")
            if not entry.strip():
                continue
            words = entry.split()
            if len(words) != 2 or not reason.strip():
                sys.exit(f"scripts/allow.txt:{number}: expected `rule subject # reason`")
            if words[0] in rules:
                self.entries.add(tuple(words))
        self.unused = set(self.entries)

    def covers(self, rule, subject):
        self.unused.discard((rule, subject))
        return (rule, subject) in self.entries

    def report_unused(self):
        for rule, subject in sorted(self.unused):
            print(f"scripts/allow.txt: nothing needs `{rule} {subject}`: delete the line")
        return bool(self.unused)
