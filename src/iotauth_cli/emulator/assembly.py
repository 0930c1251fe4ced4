"""Every room of the emulator, and what each is told of the others.

All go by one state, one clock and one `Behaviour`. Between the rooms stand those that let things go wrong by
order (`unreliable`); the rooms know nothing of them.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass

from iotauth_cli.emulator.admin import Admin
from iotauth_cli.emulator.attempts import AttemptLog
from iotauth_cli.emulator.behaviour import Behaviour
from iotauth_cli.emulator.broker import Broker
from iotauth_cli.emulator.clock import Clock
from iotauth_cli.emulator.control.cloudformation.packages import Packages
from iotauth_cli.emulator.control.cloudformation.service import CloudFormationService
from iotauth_cli.emulator.control.dynamodb.service import DynamoDb
from iotauth_cli.emulator.control.iam.service import IamService
from iotauth_cli.emulator.control.iot.domain_store import DomainStore
from iotauth_cli.emulator.control.iot.logging_store import LoggingStore
from iotauth_cli.emulator.control.iot.service import IotService
from iotauth_cli.emulator.control.iot.store import AuthorizerStore
from iotauth_cli.emulator.control.iot_data.service import IotDataService
from iotauth_cli.emulator.control.lambda_.service import LambdaService
from iotauth_cli.emulator.control.logs.service import LogsService
from iotauth_cli.emulator.control.router import ControlPlane
from iotauth_cli.emulator.control.service import Service
from iotauth_cli.emulator.control.sts import StsService
from iotauth_cli.emulator.gateway import Gateway
from iotauth_cli.emulator.identity import Identity
from iotauth_cli.emulator.inject import InjectionDesk, Injections
from iotauth_cli.emulator.iot_log import IotLog
from iotauth_cli.emulator.lambda_runtime.pool import FunctionPool
from iotauth_cli.emulator.listener import LOCAL_NAMES, Listener
from iotauth_cli.emulator.model import ACCOUNT
from iotauth_cli.emulator.page.message_socket import MessageSockets
from iotauth_cli.emulator.page.view import Place, View
from iotauth_cli.emulator.state import State
from iotauth_cli.emulator.time_travel import TimeTravel
from iotauth_cli.emulator.unreliable import Breaker, UnreliableGateway, UnreliableRunner, UnreliableTables, show_expired


@dataclass(frozen=True)
class Site:
    """Where the emulator stands: its state, its region, its APIs' address, and whether a proxy leads to it."""

    state: State
    region: str
    control_endpoint: str
    has_proxy: bool


@dataclass(frozen=True)
class Rooms:
    """What the process opens to the world."""

    control_plane: ControlPlane
    listener: Listener
    identity: Identity
    attempts: AttemptLog


@dataclass(frozen=True)
class _Common:
    """What nearly every room is told of."""

    site: Site
    clock: Clock
    behaviour: Behaviour
    attempts: AttemptLog
    injections: Injections
    authorizers: AuthorizerStore
    domains: DomainStore
    logging: LoggingStore


@dataclass(frozen=True)
class _Code:
    """Whose code runs here, and where."""

    roles: IamService
    functions: LambdaService
    pool: FunctionPool
    logs: LogsService


@dataclass(frozen=True)
class _Data:
    """What devices meet."""

    gateway: Gateway
    broker: Broker
    breaker: Breaker
    iot_data: IotDataService
    identity: Identity
    listener: Listener


def assemble(site: Site, behaviour: Behaviour, stack: AsyncExitStack) -> Rooms:
    """Make every room; *stack* closes those that hold something open.

    Raises:
        EmulatorError: the certificates in the state directory cannot be used.
    """
    common = _common(site, behaviour)
    code = _code(common, stack)
    data = _data(common, code)
    return Rooms(_control_plane(common, code, data, stack), data.listener, data.identity, common.attempts)


def _common(site: Site, behaviour: Behaviour) -> _Common:
    clock = Clock(site.state)
    attempts = AttemptLog(site.state, clock)
    return _Common(
        site,
        clock,
        behaviour,
        attempts,
        Injections(attempts, clock),
        AuthorizerStore(site.state),
        DomainStore(site.state),
        LoggingStore(site.state),
    )


def _code(common: _Common, stack: AsyncExitStack) -> _Code:
    state = common.site.state
    logs = LogsService(state)
    stack.callback(logs.flush)
    pool = FunctionPool(logs, endpoint_url=common.site.control_endpoint)
    stack.push_async_callback(pool.close)
    roles = IamService(state, common.clock, common.behaviour)
    return _Code(roles, LambdaService(state, roles, pool, clock=common.clock), pool, logs)


def _data(common: _Common, code: _Code) -> _Data:
    site, clock, behaviour, attempts = common.site, common.clock, common.behaviour, common.attempts
    iot_log = IotLog(code.logs, account=ACCOUNT, region=site.region)
    common.logging.follow(site.region, iot_log.set_levels)
    broker = Broker(site.state, attempts, clock=clock, behaviour=behaviour, iot_log=iot_log)
    breaker = Breaker(common.injections, broker)
    gateway = UnreliableGateway(
        common.injections,
        breaker.strike_soon,
        common.authorizers.in_region(site.region),
        code.functions,
        UnreliableRunner(code.pool, common.injections),
        account=ACCOUNT,
        region=site.region,
        attempts=attempts,
        clock=clock,
        behaviour=behaviour,
        domain=common.domains.in_region(site.region),
    )
    identity = Identity(
        site.state.directory,
        common.authorizers.endpoint_prefix,
        site.region,
        common.domains,
        with_aws_names=site.has_proxy,
    )
    iot_data = IotDataService(broker, clock, behaviour)
    listener = Listener(
        identity.context,
        gateway,
        broker,
        attempts,
        api=ControlPlane([iot_data], any_host=True).handle,
        server_names=[*LOCAL_NAMES, *identity.names],
        clock=clock,
        behaviour=behaviour,
        domain=common.domains.in_region(site.region),
    )
    show_expired(identity.context, common.injections, identity.expired_context)
    return _Data(gateway, broker, breaker, iot_data, identity, listener)


def _control_plane(common: _Common, code: _Code, data: _Data, stack: AsyncExitStack) -> ControlPlane:
    state, clock, behaviour = common.site.state, common.clock, common.behaviour
    tables = DynamoDb(state, account=ACCOUNT, clock=clock, behaviour=behaviour)
    services: list[Service] = [
        StsService(code.roles, clock),
        code.roles,
        code.functions,
        UnreliableTables(tables, common.injections),
        IotService(
            common.authorizers,
            data.gateway,
            behaviour,
            clock,
            domains=common.domains,
            logging=common.logging,
            may_be_assumed=code.roles.may_be_assumed,
        ),
        data.iot_data,
        code.logs,
    ]
    packages = Packages(state)
    stacks = CloudFormationService(state, services, packages, clock, behaviour)
    stack.push_async_callback(stacks.close)
    place = Place(common.site.region, ACCOUNT, lambda: data.listener.port)
    messages = MessageSockets(data.broker, behaviour)
    stack.callback(messages.close)
    admin = Admin.of(
        TimeTravel(clock, data.broker),
        InjectionDesk(common.injections, data.breaker.strike),
        View(place, clock, common.authorizers, data.broker, common.attempts, tables),
        packages,
        sockets=messages.sockets,
    )
    return ControlPlane([*services, stacks], admin=admin)
