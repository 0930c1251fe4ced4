"""What the function needs around it: the table of clients, and the role that may read it."""

from __future__ import annotations

from shlex import quote

from iotauth_authorizer.record import KEY
from iotauth_cli.aws import iam, table
from iotauth_cli.operations.doctor.authorizer import bring, create
from iotauth_cli.operations.doctor.finding import Finding, Outcome, Unseen, some
from iotauth_cli.operations.doctor.scene import Scene
from iotauth_cli.operations.installation.function import POLICY_NAME, Role
from iotauth_cli.operations.installation.storage import EXPIRY, Table
from iotauth_cli.policy.match import Matcher, compile_pattern

STAMPS = ("Created", "Updated")  # attributes that lie in the past from the beginning
READ = "dynamodb:GetItem"  # without it every client is unknown


def state(scene: Scene) -> Outcome:
    name = scene.premises.wish.table
    found = table.describe(scene.session, name)
    if found is None:
        return Finding("error", scene.absent(f"there is no table `{name}`, so every client is unknown"), create(scene))
    if found.key != (KEY,):
        sentence = f"table `{name}` has the key `{', '.join(found.key)}`, and clients need `{KEY}` alone"
        return Finding("error", sentence, "iotauth config show")
    if found.status != "ACTIVE":
        return Finding("error", f"table `{name}` is not active: {found.status}", "iotauth doctor --only table")
    return f"`{name}` is active"


def the_table(scene: Scene) -> table.Table:
    name = scene.premises.wish.table
    found = table.describe(scene.session, name)
    if found is None or found.status != "ACTIVE":
        raise Unseen(f"there is no active table `{name}`")
    return found


def billing(scene: Scene) -> Outcome:
    """With capacity that was bought ahead, a fleet that comes back all at once is throttled."""
    found = the_table(scene)
    if found.is_on_demand:
        return "paid by request"
    fix = scene.aws(f"dynamodb update-table --table-name {found.name} --billing-mode PAY_PER_REQUEST")
    sentence = f"table `{found.name}` has fixed capacity: a fleet that comes back all at once is throttled, and refused"
    return Finding("warning", sentence, fix)


def protection(scene: Scene) -> Outcome:
    found = the_table(scene)
    if found.is_protected:
        return "it cannot be deleted by accident"
    sentence = f"table `{found.name}` can be deleted by accident, and every client with it"
    part = Table(scene.session, scene.premises.wish)
    return Finding("warning", sentence, create(scene), bring(part, "update", f"protect table `{found.name}`"))


def recovery(scene: Scene) -> Outcome:
    found = the_table(scene)
    if table.is_recoverable(scene.session, found.name):
        return "every second of the last weeks can be restored"
    sentence = f"point-in-time recovery of table `{found.name}` is off: what is overwritten is lost"
    part = Table(scene.session, scene.premises.wish)
    return Finding("warning", sentence, create(scene), bring(part, "update", f"protect table `{found.name}`"))


def expiry(scene: Scene) -> Outcome:
    """DynamoDB deletes rows by an attribute; by a wrong one it deletes every client.

    A new table gets the right one. Where there is none, that is a choice: a client whose time is over is refused all
    the same, and its row stays.
    """
    name = the_table(scene).name
    attribute = table.expiry_attribute(scene.session, name)
    if attribute is None:
        return "DynamoDB deletes no client of itself"
    if attribute == EXPIRY:
        return f"DynamoDB deletes clients some days after their end, by `{EXPIRY}`"
    specification = f"Enabled=false,AttributeName={attribute}"
    fix = scene.aws(
        f"dynamodb update-time-to-live --table-name {name} --time-to-live-specification {quote(specification)}"
    )
    if attribute in STAMPS:
        sentence = f"DynamoDB deletes clients of table `{name}` by `{attribute}`, which is always over: it deletes all"
        return Finding("error", sentence, fix)
    sentence = f"DynamoDB deletes clients of table `{name}` by `{attribute}`, an attribute that iotauth does not set"
    return Finding("note", f"{sentence}, and nothing says so", fix)


def role(scene: Scene) -> Outcome:
    """Who may run as it: Lambda, and nobody else."""
    part, found = the_role(scene)
    if isinstance(found, str):
        return found
    if found is None:
        return Finding("error", f"there is no role `{part.name}`, so the function cannot run", create(scene))
    if found.trust == part.trust:
        return f"`{part.name}`, for Lambda alone"
    repair = None
    if policy_of(scene, part) in (None, part.policy):
        repair = bring(part, "update", f"let Lambda, and nobody else, run as role `{part.name}`")
    return Finding("error", f"role `{part.name}` trusts others than Lambda, or not Lambda", create(scene), repair)


def policy(scene: Scene) -> Outcome:
    """Least privilege: read and mark rows of this table, write to its own log, nothing more."""
    part, found = the_role(scene)
    if isinstance(found, str):
        return found
    if found is None:
        raise Unseen(f"there is no role `{part.name}`")
    allowed = policy_of(scene, part)
    if allowed is None:
        repair = bring(part, "update", f"let role `{part.name}` read table `{part.wish.table}` and write its log")
        sentence = f"role `{part.name}` has no policy `{POLICY_NAME}`, so the function can read no client"
        return Finding("error", sentence, create(scene), repair)
    if allowed != part.policy:
        return amiss(allowed, part, create(scene))
    more = [name for name in iam.policy_names(scene.session, part.name) if name != POLICY_NAME]
    if more:
        sentence = f"role `{part.name}` has more policies than `{POLICY_NAME}`: {some(more)}; the function needs none"
        return Finding("warning", sentence, scene.aws(f"iam list-role-policies --role-name {part.name}"))
    return "it may read and mark rows and write its log, nothing more"


def amiss(found: iam.Document, part: Role, fix: str) -> Finding:
    """Say what the function cannot do under *found*, or else what it can do and need not."""
    lacking, more = lacks(found, part), sorted(actions(found, "Allow") - actions(part.policy, "Allow"))
    if READ in lacking:
        sentence = (
            f"policy `{POLICY_NAME}` of role `{part.name}` gives no {some(lacking)}, so the function reads no client"
        )
        return Finding("error", sentence, fix)
    how = [f"it adds {some(more)}"] if more else []
    how += [f"it lacks {some(lacking)}"] if lacking else []
    sentence = f"role `{part.name}` may do something else than read and mark rows and write its log: "
    return Finding("warning", sentence + (" and ".join(how) or "on other resources"), fix)


def the_role(scene: Scene) -> tuple[Role, iam.Role | str | None]:
    """Return the role as it should be and as it is, or what to say where it is not ours to judge."""
    wish = scene.wish()
    part = Role(scene.session, wish)
    if wish.function_arn is not None:
        return part, "the function is your own, and so is its role"
    own = scene.own_function()
    if isinstance(own, str):
        return part, own
    if own.configuration.role != part.arn:
        return part, f"the function runs as `{own.configuration.role.rpartition('/')[2]}`, which is your own"
    found = iam.find_bare(scene.session, part.name)  # who may see it may not see its policy
    if found is not None and part.is_foreign(found):
        return part, f"role `{part.name}` was not made by iotauth"
    return part, found


def policy_of(scene: Scene, part: Role) -> iam.Document | None:
    return iam.find_policy(scene.session, part.name, POLICY_NAME)


def lacks(found: iam.Document, part: Role) -> list[str]:
    """Return the actions that the function needs and *found* does not give, or takes away again."""
    given, taken = (patterns(actions(found, effect)) for effect in ("Allow", "Deny"))
    if any("NotAction" in each for each in statements(found)):
        return []  # nobody would write that for one function; what it gives is told as something else
    needed = sorted(actions(part.policy, "Allow"))
    return [name for name in needed if not given.matches(name.lower()) or taken.matches(name.lower())]


def patterns(names: set[str]) -> Matcher:
    return Matcher(compile_pattern([name.lower()]) for name in names)


def actions(document: iam.Document, effect: str) -> set[str]:
    found: set[str] = set()
    for statement in statements(document):
        named = statement.get("Action", []) if statement.get("Effect") == effect else []
        found |= set(named if isinstance(named, list) else [named])
    return found


def statements(document: iam.Document) -> list[iam.Document]:
    listed = document.get("Statement", [])
    return listed if isinstance(listed, list) else [listed]
