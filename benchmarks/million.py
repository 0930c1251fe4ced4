"""A million clients imported once, beside boto3's `batch_writer` and the AWS CLI in a loop.

Run `python benchmarks/million.py [--write]`; it takes about ten minutes. Ours is the whole command, from
the file to the last acknowledged row, with every secret made, hashed and handed out; `batch_writer`
writes rows that lie ready in memory; the AWS CLI writes 200 rows, one each, and is multiplied.
`--write` puts the table into docs/reference/million.md.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from all import machine
from fleet import ANSWER, Ran, ours, peer, slow_table
from stand_in import stand_in

ROWS = 1_000_000
FEW = 10_000
CLI_ROWS = 200
PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "million.md"
ITEM = '{"Client_ID": {"S": "thermo-%d"}, "allow_connect": {"BOOL": true}}'

INTRODUCTION = """# A million clients

What `iotauth client import` takes for a million rows, each with a secret that is made, hashed and handed
out, beside boto3's `batch_writer`, which writes rows that lie ready in memory, and the AWS CLI in a loop,
taken from 200 rows. The table is a stand-in on the same machine that answers at once, or after 8 ms.
`python benchmarks/million.py` does it on your machine; other work on it shows in the seconds, less in the CPU.
"""


def line(what: str, ran: Ran, rows: int) -> str:
    rate = rows / ran.wall
    peak = f"  peak {ran.peak / 1024:6.1f} MiB" if ran.peak else ""
    return (
        f"{what:<40} {rows:>9,} rows  {ran.wall:7.1f} s  {rate:8,.1f} rows/s  "
        f"CPU {ran.cpu / rows * 1e6:9,.1f} us a row{peak}"
    )


def aws_cli(directory: Path, endpoint: str, ca_file: Path) -> Ran:
    """Write rows with a process each, and return what they took."""
    environ = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_CA_BUNDLE": str(ca_file),
        "AWS_ENDPOINT_URL_DYNAMODB": endpoint,
    }
    program = Path(sys.executable).parent / "aws"
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    for number in range(CLI_ROWS):
        command = [str(program), "dynamodb", "put-item", "--table-name", "clients", "--item", ITEM % number]
        subprocess.run(command, env=environ, check=True, capture_output=True, cwd=directory)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Ran(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, peak=0)


def measure(directory: Path) -> list[str]:
    lines = []

    def add(what: str, ran: Ran, rows: int) -> Ran:
        lines.append(line(what, ran, rows))
        print(lines[-1], flush=True)
        return ran

    with stand_in(directory, ANSWER) as table:
        add("iotauth client import", ours(directory, FEW, table.endpoint, table.ca_file), FEW)
        mine = add("iotauth client import", ours(directory, ROWS, table.endpoint, table.ca_file), ROWS)
        theirs = add("boto3 batch_writer", peer(directory, ROWS, table.endpoint, table.ca_file), ROWS)
        one_by_one = add("aws dynamodb put-item", aws_cli(directory, table.endpoint, table.ca_file), CLI_ROWS)
    with slow_table(directory) as endpoint:
        slow = add("iotauth client import, 8 ms a request", ours(directory, ROWS, endpoint), ROWS)
    days = one_by_one.wall / CLI_ROWS * ROWS / 86400
    lines.append("")
    lines.append(f"CPU, ours / batch_writer: {mine.cpu / theirs.cpu:.3f}; seconds: {mine.wall / theirs.wall:.3f}")
    lines.append(f"the AWS CLI would take {days:.1f} days; ours / AWS CLI: {mine.wall / (days * 86400):.6f}")
    lines.append(f"with 8 ms a request: {slow.wall:.0f} s, of 25 s that a table's default quota allows at best")
    return lines


def main() -> int:
    about = machine()
    with tempfile.TemporaryDirectory() as name:
        lines = measure(Path(name))
    print("\n".join(lines))
    if "--write" in sys.argv:
        stamp, body = time.strftime("%Y-%m-%d", time.gmtime()), "\n".join(lines)
        PAGE.write_text(f"{INTRODUCTION}\nTaken on {stamp}: {about} when it began.\n\n```text\n{body}\n```\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
