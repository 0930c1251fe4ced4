"""`iotauth keys`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from iotauth_cli.cli.lazy import LazyGroup
from iotauth_cli.cli.render import ignored
from iotauth_cli.errors import ConfigError, EmulatorError, InputError
from iotauth_cli.secret import Secret

if TYPE_CHECKING:
    from iotauth_cli.cli.context import Context
    from iotauth_cli.operations.keys import Opened
    from iotauth_cli.operations.signing.issue import Signer

group = LazyGroup(
    "keys",
    {
        "generate": ("iotauth_cli.cli.keys:generate", "Make a key that signs tokens."),
        "sign": ("iotauth_cli.cli.keys:sign", "Sign a token."),
        "verify": ("iotauth_cli.cli.keys:verify", "Check a token's signature."),
        "public": ("iotauth_cli.cli.keys:public", "Print the public half of a key."),
    },
    help="Make keys, sign tokens with them and check signatures.\n\nExample: iotauth keys generate doors.pem",
)

KEY_FILE = Path("token-key.pem")
PassphraseStdin = Annotated[bool, typer.Option("--passphrase-stdin", help="Read the key's passphrase from stdin.")]
TokenStdin = Annotated[bool, typer.Option("--token-stdin", help="Read the token from stdin.")]
Token = Annotated[str | None, typer.Argument(metavar="TOKEN", help="The token, as it will be sent.")]
Authorizer = Annotated[str | None, typer.Option(metavar="NAME", help="The authorizer; else the one of the settings.")]


def generate(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write it.")] = KEY_FILE,
    bits: Annotated[int, typer.Option(metavar="N", help="2048, 3072 or 4096.")] = 2048,
    passphrase_stdin: Annotated[
        bool, typer.Option("--passphrase-stdin", help="Encrypt it with the passphrase on stdin.")
    ] = False,
) -> None:
    """Make a private key that only you can read, and its public half beside it.

    Nothing is overwritten. A signature of 2048 bits is what AWS IoT asks for; one of 4096
    costs a device 340 more characters in its user name.

    Example: iotauth keys generate doors.pem
    """
    from iotauth_cli.cli import render_keys as render
    from iotauth_cli.operations import keys

    context = ctx.obj
    made = keys.generate(file, bits=bits, passphrase=passphrase(context, passphrase_stdin))
    context.output.facts(render.made_document(made), render.made(made, context.shown))
    context.output.say(*ignored(made.ignored, "the private key"))
    create = context.command(f"authorizer create --signed --public-key {made.public_at}")
    context.output.say(f"next: {create}")


def sign(
    ctx: typer.Context,
    token: Token = None,
    for_client: Annotated[
        str | None, typer.Option("--for-client", metavar="ID", help="Issue a token for this client, and sign it.")
    ] = None,
    key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The private key; else the one that is kept of the authorizer.")
    ] = None,
    authorizer: Authorizer = None,
    token_key_name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The token's name in the user name; else what is known, or `token`."),
    ] = None,
    token_stdin: TokenStdin = False,
    passphrase_stdin: PassphraseStdin = False,
) -> None:
    """Sign a token and print the signature, as `openssl base64 -A` would print it.

    A token and its signature together are a password: they let a device through to
    the authorizer until the key is retired. The passphrase of an encrypted key comes by
    stdin, or from the file that IOTAUTH_KEY_PASSPHRASE_FILE names.

    Example: iotauth keys sign --for-client thermo-1
    """
    from iotauth_cli.cli import render_keys as render
    from iotauth_cli.operations import keys

    context = ctx.obj.with_flags(authorizer=authorizer)
    one_source(token_stdin=token_stdin, passphrase_stdin=passphrase_stdin)
    if for_client is not None and (token is not None or token_stdin):
        raise InputError("the token of a client is made here; leave `TOKEN` out", hint="or leave `--for-client` out")
    if for_client is not None:
        signer = signer_for(context, key, passphrase_stdin, token_key_name)
        issued = keys.for_client(signer, context.settings.authorizer, for_client, int(time.time()))
        context.output.facts(render.for_client_document(issued), render.for_client(issued))
        return
    text = the_token(context, token, token_stdin)
    made = keys.sign(text, signer_for(context, key, passphrase_stdin).key)
    context.output.result(render.signature_document(made), made.signature)


def verify(
    ctx: typer.Context,
    token: Token = None,
    key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The public key; else those that AWS IoT has of the authorizer.")
    ] = None,
    signature_file: Annotated[
        Path | None, typer.Option("--signature-file", metavar="FILE", help="The signature; else it comes by stdin.")
    ] = None,
    authorizer: Authorizer = None,
    token_stdin: TokenStdin = False,
) -> int:
    """Check the signature on stdin: whether it is the token's, under which key, and if not, why not.

    Exits with 1 if it is not.

    Example: iotauth keys sign TOKEN | iotauth keys verify TOKEN
    """
    from iotauth_cli.cli import render_keys as render
    from iotauth_cli.operations import keys

    context = ctx.obj.with_flags(authorizer=authorizer)
    if token_stdin and signature_file is None:
        raise InputError("stdin carries one thing", hint="with `--token-stdin`, name `--signature-file FILE`")
    text = the_token(context, token, token_stdin)
    signature = keys.require_text(signature_file).strip() if signature_file else read_signature(context)
    if key is not None:
        verdict = keys.verify(text.reveal(), signature, {"": keys.public_of(key)}, f"key `{key}`")
    else:
        name = context.settings.authorizer
        verdict = keys.verify(text.reveal(), signature, keys.keys_of(context.session, name), f"authorizer `{name}`")
    context.output.result(render.verdict_document(verdict), render.verdict(verdict))
    return 0 if verdict.ok else 1


def public(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A private key.")] = KEY_FILE,
    passphrase_stdin: PassphraseStdin = False,
) -> None:
    """Print the public half of a key, as `authorizer create --public-key` takes it.

    Example: iotauth keys public doors.pem > doors.pub.pem
    """
    from iotauth_cli.cli import render_keys as render
    from iotauth_cli.operations import keys

    context = ctx.obj
    pem = keys.public_of(file, passphrase(context, passphrase_stdin), passphrase_file(context))
    context.output.result(render.public_document(pem), pem.rstrip())


def signer_for(context: Context, key: Path | None, passphrase_stdin: bool, token_key_name: str | None = None) -> Signer:
    from iotauth_cli.operations import keys

    if key is None:
        return keys.kept_signer(context.store, context.settings.authorizer, passphrase_file(context))
    return keys.Signer(opened(context, key, passphrase_stdin).key, token_key_name or known_name(context))


def known_name(context: Context) -> str:
    """Return under which name the authorizer's devices send their token. Signing needs no place to be set."""
    from iotauth_cli.operations import keys

    try:
        return keys.token_key_name(context.store, context.settings.authorizer)
    except (ConfigError, EmulatorError):
        return keys.TOKEN_KEY_NAME


def opened(context: Context, key: Path, passphrase_stdin: bool) -> Opened:
    """Read a private key of the user's own, and say what is wrong with its file."""
    from iotauth_cli.operations import keys

    found = keys.open_key(key, passphrase(context, passphrase_stdin), passphrase_file(context))
    if found.warning:
        context.output.say(f"warning: {found.warning}")
    return found


def passphrase(context: Context, is_on_stdin: bool) -> Secret | None:
    return context.output.read_password("passphrase") if is_on_stdin else None


def passphrase_file(context: Context) -> Path | None:
    named = context.environ.get("IOTAUTH_KEY_PASSPHRASE_FILE")
    return Path(named) if named else None


def the_token(context: Context, token: str | None, is_on_stdin: bool) -> Secret:
    """Return the token that was typed or comes by stdin."""
    if is_on_stdin == (token is not None):
        problem = "the token is given twice" if is_on_stdin else "there is no token"
        raise InputError(problem, hint="write it as TOKEN, or pipe it in with `--token-stdin`")
    return context.output.read_password("token") if token is None else Secret(token)


def read_signature(context: Context) -> str:
    return context.output.read_password("signature").reveal().strip()


def one_source(**options: bool) -> None:
    if sum(options.values()) > 1:
        raise InputError(
            "stdin carries one thing", hint="name the passphrase's file instead: `IOTAUTH_KEY_PASSPHRASE_FILE=FILE`"
        )
