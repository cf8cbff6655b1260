#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Adds up the testlog.json files of several meson test runs; tests/run.sh ends with what this prints."""
import argparse
import json
import sys

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--log", action="append", default=[], metavar="PHASE=PATH")
parser.add_argument("--bad", action="append", default=[], metavar="PHASE",
                    help="a phase that failed without a test failing")
args = parser.parse_args()

passed = skipped = 0
failed = [f"{phase}: could not be built or run" for phase in args.bad]
skips = {}
for log in args.log:
    phase, path = log.split("=", 1)
    with open(path, encoding="utf-8") as file:
        for line in file:
            test = json.loads(line)
            result = test["result"]
            if result in ("OK", "EXPECTEDFAIL"):
                passed += 1
            elif result == "SKIP":
                skipped += 1
                skips.setdefault(test["name"], []).append(phase)
            else:
                failed.append(f"{phase}: {test['name']}: {result.lower()}")

print("== result")
for name, phases in sorted(skips.items()):
    print(f"   skipped: {name} ({', '.join(phases)})")
for line in failed:
    print(f"   failed: {line}")
print(f"{passed} passed, {len(failed)} failed, {skipped} skipped")
sys.exit(1 if failed else 0)
