#!/usr/bin/env python3
"""Writes the embedded tables for fair regression into assets/fair.

    python3 packaging/make_fair_tables.py FOLDER

FOLDER holds `communities.csv` and `lawschool.csv` as in the public repository steven7woo/fair_regression_reduction
(folder `data/`, commit 7650cb6cc82a). Values are copied as they are written there; what is changed is in
assets/fair/README.md.
"""

import csv
import gzip
import sys
from pathlib import Path

ASSETS = Path(__file__).resolve().parent.parent / "assets" / "fair"
RACES = ["racepctblack", "racePctWhite", "racePctAsian", "racePctHisp"]


def read(path):
    with open(path, encoding="utf-8-sig", newline="") as file:
        rows = [row for row in csv.reader(file) if row]
    return rows[0], rows[1:]


def write(name, header, rows):
    text = "".join(",".join(row) + "\n" for row in [header, *rows])
    # No time stamp and no name inside: the same input gives the same file.
    with open(ASSETS / name, "wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
        packed.write(text.encode())
    print(name, len(rows), "rows", len(header), "columns", (ASSETS / name).stat().st_size, "bytes")


def communities(folder):
    header, rows = read(folder / "communities.csv")
    at = [header.index(name) for name in RACES]
    keep = [index for index, name in enumerate(header) if name not in RACES]

    def majority(row):
        shares = [float(row[index]) for index in at]
        return "white" if shares.index(max(shares)) == 1 else "other"

    write("communities.csv.gz", [header[i] for i in keep] + ["race"], [[r[i] for i in keep] + [majority(r)] for r in rows])


def law_school(folder):
    header, rows = read(folder / "lawschool.csv")
    race = header.index("race")
    names = {"7": "white", "3": "black", "": "", "NA": ""}

    def cells(row):
        cells = ["" if cell == "NA" else cell for cell in row]
        cells[race] = names.get(row[race], "other")
        return cells

    write("law-school.csv.gz", header, [cells(row) for row in rows])


if __name__ == "__main__":
    ASSETS.mkdir(parents=True, exist_ok=True)
    communities(Path(sys.argv[1]))
    law_school(Path(sys.argv[1]))
