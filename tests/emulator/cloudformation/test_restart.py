"""What a restart leaves of stacks: everything, and the truth about what it cut short."""

from __future__ import annotations

from dataclasses import replace

import pytest

from iotauth_cli.emulator.control.cloudformation.store import StackStore
from support_cloudformation import StackControl, group, resources, table


def interrupt(control: StackControl, status: str) -> None:
    """Leave the stack `doors` as a kill in the middle of an operation does."""

    def mark() -> None:
        store = StackStore(control.state)
        stack = store.find("us-east-1", "doors")
        assert stack is not None
        store.save(replace(stack, status=status))

    control.server.call(mark)
    control.restart()


def test_a_stack_survives_a_restart(control: StackControl) -> None:
    """With its outputs and events, and it can be changed and removed as before."""
    template = {**resources(Table=table("doors")), "Outputs": {"Table": {"Value": {"Ref": "Table"}}}}
    control.create(template)
    told = control.told()
    control.restart()
    assert control.outputs() == {"Table": "doors"}
    assert control.told() == told
    template["Resources"]["Logs"] = group("logs")
    assert control.update(template)["StackStatus"] == "UPDATE_COMPLETE"
    assert control.delete()["StackStatus"] == "DELETE_COMPLETE"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("CREATE_IN_PROGRESS", "CREATE_FAILED"),
        ("ROLLBACK_IN_PROGRESS", "ROLLBACK_FAILED"),
        ("UPDATE_IN_PROGRESS", "UPDATE_FAILED"),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_FAILED"),
        ("UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_FAILED"),
        ("DELETE_IN_PROGRESS", "DELETE_FAILED"),
    ],
)
def test_an_interrupted_operation_has_failed(control: StackControl, before: str, after: str) -> None:
    """The stack says so, an event tells why, and it can be deleted with all that it has."""
    control.create(resources(Table=table("doors")))
    interrupt(control, before)
    stack = control.stack()
    assert stack["StackStatus"] == after
    assert "stopped in the middle" in control.events()[-1]["ResourceStatusReason"]
    assert control.delete()["StackStatus"] == "DELETE_COMPLETE"
    assert control.client("dynamodb").list_tables()["TableNames"] == []


def test_an_interrupted_update_is_finished_by_the_same_update(control: StackControl) -> None:
    """Also where it would be no change: nobody knows how far it came."""
    template = resources(Table=table("doors"))
    control.create(template)
    interrupt(control, "UPDATE_IN_PROGRESS")
    assert control.update(template)["StackStatus"] == "UPDATE_COMPLETE"


def test_packages_that_no_stack_names_are_removed(control: StackControl) -> None:
    """At the start, when no deployment is on its way to them."""
    used = control.server.call(lambda: control.packages.add(b"used"))
    unused = control.server.call(lambda: control.packages.add(b"unused"))
    control.create(resources(Logs=group("logs", Tags=[{"Key": "of", "Value": used}])))
    control.restart()
    kept = control.server.call(lambda: control.state.db.execute("SELECT key FROM cfn_package").fetchall())
    assert [row["key"] for row in kept] == [used]
    assert used != unused
    control.delete()
    control.restart()
    assert control.server.call(lambda: control.state.db.execute("SELECT key FROM cfn_package").fetchall()) == []
