"""What several commands about clients have in common: who is meant, what a client may do, where secrets go."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Texts = list[str] | None

# --- who is meant ---------------------------------------------------------------------------------

ClientId = Annotated[str, typer.Argument(metavar="ID", help="The client id.")]
OneClient = Annotated[str | None, typer.Argument(metavar="ID", help="The client id, unless many are selected.")]
Everyone = Annotated[bool, typer.Option("--all", help="Every client of the table.")]
Selected = Annotated[
    Texts,
    typer.Option(
        "--where",
        metavar="TERM",
        help="The clients that meet this, such as `tag=site:berlin`; see `client list --help`.",
    ),
]
Shown = Annotated[
    Texts,
    typer.Option(
        "--where",
        metavar="TERM",
        help="Only clients that meet this, such as `tag=site:berlin`; several must all be met.",
    ),
]

# --- what a client may do, and how long -----------------------------------------------------------

Publish = Annotated[Texts, typer.Option(metavar="FILTER", help="May publish here; `+` and `#` count.")]
Subscribe = Annotated[Texts, typer.Option(metavar="FILTER", help="May subscribe to exactly this.")]
Expires = Annotated[
    str | None, typer.Option(metavar="DATE", help="Refuse it from the end of this day (UTC) on: 2027-01-31.")
]
Ttl = Annotated[str | None, typer.Option("--ttl", metavar="TIME", help="Refuse it after this time: 30d, 12h.")]
Tags = Annotated[Texts, typer.Option(metavar="NAME:VALUE", help="Group clients by it: site:berlin.")]
Note = Annotated[str | None, typer.Option(metavar="TEXT", help="What a person should know.")]

# --- where its secret comes from, and goes --------------------------------------------------------

PasswordStdin = Annotated[bool, typer.Option("--password-stdin", help="Take this password instead of a generated one.")]
NoSave = Annotated[bool, typer.Option("--no-save", help="Show the credential and keep none of it.")]
SecretsOut = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="With many: write the secrets to this .csv or .jsonl, 0600; also the journal."),
]
Batch = Annotated[
    int | None, typer.Option(metavar="N", min=1, help="With many: this many now; run it again for the next.")
]
