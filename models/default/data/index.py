#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Join the parts that the makers wrote into index.json and print hours by source and split."""
import collections
import json
import sys
from pathlib import Path


def main():
    root = Path(sys.argv[1])
    rows = [r for p in sorted(root.glob("part-*.json")) for r in json.loads(p.read_text(encoding="utf-8"))]
    tmp = root / "index.json.new"
    tmp.write_text(json.dumps(rows, indent=0, ensure_ascii=False), encoding="utf-8")
    tmp.replace(root / "index.json")
    hours = collections.Counter()
    for r in rows:
        hours[r["source"], r["split"]] += r["seconds"] / 3600
    for key, h in sorted(hours.items()):
        print(f"{key[0]:16s} {key[1]:6s} {h:6.2f} h")
    print(f"{'all':16s} {'':6s} {sum(hours.values()):6.2f} h, {sum(p.stat().st_size for p in root.rglob('*.npz')) / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
