"""What `iotauth estimate` shows. In `--json`, money is dollars with six decimals at most: whole micro-dollars."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from iotauth_cli.cli.output import terminal_width

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iotauth_cli.operations.estimate import Bill, Choice, Estimate, Headroom, Line, Price, Source, Storm, Suggestion

MICRO = 1_000_000
MILLION = 1_000_000
PRECISION = 6  # decimals of any number in the document
QUOTAS_SHOWN = 8
WIDTH = 100  # where there is no terminal
UNITS = {"GB-second": "GB-s"}
LABEL = 16
SOURCE_INDENT = 7
MUCH = 10  # times a quota
WAITS = {"fixed": "5 s", "aws-sdk": "AWS SDKs'", "firmware": "our firmware's"}


def lines(found: Estimate) -> list[str]:
    """Return the whole answer as text, section by section."""
    sources = Sources()
    sections = [
        headline(found),
        bill(found, sources),
        free_tier(found, sources),
        timers(found.choices),
        strangers(found),
        storms(found.storms),
        quotas(found.headrooms),
        advice(found.suggestions),
        assumptions(found),
        sources.lines(),
    ]
    first, *others = [section for section in sections if section]
    return [*first, *(line for section in others for line in ("", *section))]


class Sources:
    """Where prices come from, numbered as they are first named."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, str], int] = {}
        self._sources: list[Source] = []

    def number(self, source: Source) -> int:
        key = (source.title, source.date)
        if key not in self._numbers:
            self._numbers[key] = len(self._numbers) + 1
            self._sources.append(source)
        return self._numbers[key]

    def lines(self) -> list[str]:
        return ["prices from", *(line for n, each in enumerate(self._sources, 1) for line in self._shown(n, each))]

    def _shown(self, number: int, source: Source) -> list[str]:
        """Return title and date, and the address below, which is never broken."""
        parts = [source.title, source.date, "" if source.from_aws else "not AWS's own text"]
        text, *more = folded(", ".join(part for part in parts if part), SOURCE_INDENT)
        indent = " " * SOURCE_INDENT
        address = [indent + source.url] if source.url else []
        return [f"  {f'[{number}]':<{SOURCE_INDENT - 2}}{text}", *(indent + line for line in more), *address]


def headline(found: Estimate) -> list[str]:
    question, total = found.question, found.bill.micro_usd - found.bill.free_micro_usd
    lines = folded(
        f"{counted(question.fleet.devices, 'device')} in {question.region}: {dollars(total)} a month, "
        f"{dollars(found.bill.authorizer_micro_usd)} of it for the authorizer"
        + (" before the free tier" if question.with_free_tier else "")
    )
    elsewhere = sorted({line.price.region for line in found.bill.lines if line.price.region != question.region})
    if elsewhere:
        lines += folded(f"* no source gives this price for {question.region}: {', '.join(elsewhere)}'s is used")
    return lines


def bill(found: Estimate, sources: Sources) -> list[str]:
    rows = [row(line, found.question.region, sources) for line in found.bill.lines]
    rows.append(["total", "", "", dollars(found.bill.micro_usd), ""])
    return columns(["a month", "quantity", "price", "cost", ""], rows, right=(1, 2, 3))


def free_tier(found: Estimate, sources: Sources) -> list[str]:
    if not found.question.with_free_tier:
        return []
    rows = [free_row(line, sources) for line in found.bill.lines if line.free_micro_usd]
    rows.append(["left to pay", "", "", dollars(found.bill.micro_usd - found.bill.free_micro_usd), ""])
    return columns(["free tier", "quantity", "lasts", "saves", ""], rows, right=(1, 3))


def row(line: Line, region: str, sources: Sources) -> list[str]:
    star = "" if line.price.region == region else "*"
    return [line.price.what, amount(line.quantity), unit_price(line.price), dollars(line.micro_usd),
            f"[{sources.number(line.price.source)}]{star}"]  # fmt: skip


def free_row(line: Line, sources: Sources) -> list[str]:
    assert line.allowance is not None
    lasts = "always" if line.allowance.lasts == "always" else "12 months"
    return [line.price.what, amount(Fraction(line.allowance.quantity)), lasts,
            dollars(line.free_micro_usd), f"[{sources.number(line.allowance.source)}]"]  # fmt: skip


def unit_price(price: Price) -> str:
    """Return what the first units cost; `from` where more of them cost less."""
    per = {1: UNITS.get(price.unit, price.unit), MILLION: "million"}.get(price.per, f"{price.per:,}")
    whole, _, cents = f"{float(price.tiers[0].usd):.10f}".partition(".")
    return ("from " if len(price.tiers) > 1 else "") + f"${whole}.{cents.rstrip('0'):<02}/{per}"


def strangers(found: Estimate) -> list[str]:
    """Tell what a call costs: with an unsigned authorizer, anybody who knows its name makes some."""
    cost = dollars(found.million_calls_micro_usd)
    return folded(f"a million calls cost {cost}, those of strangers to an unsigned authorizer too")


def timers(choices: Sequence[Choice]) -> list[str]:
    if not choices:
        return []
    rows = [
        [f"{each.refresh_s} s" + (" (above)" if each.is_asked else ""), amount(each.calls_per_month),
         dollars(each.authorizer_micro_usd), dollars(each.micro_usd), f"{time(each.refresh_s)}"]
        for each in choices
    ]  # fmt: skip
    return columns(["refresh", "calls a month", "authorizer", "total", "a change is seen"], rows, right=(1, 2, 3))


def storms(found: Sequence[Storm]) -> list[str]:
    if not found:
        return []
    rows = [
        ["first attempts", *("at once" if not each.jitter_s else f"within {time(each.jitter_s)}" for each in found)],
        ["wait between", *(WAITS[each.wait.name] for each in found)],
        ["attempts/s, peak", *(amount(each.peak_attempts) for each in found)],
        ["calls/s, peak", *(amount(each.peak_calls) for each in found)],
        ["calls at a time", *(amount(each.peak_concurrency) for each in found)],
        ["refused attempts", *(amount(each.refused) for each in found)],
        *(
            [["throttled calls", *(amount(each.throttled) for each in found)]]
            if any(e.throttled for e in found)
            else []
        ),
        ["half back after", *(time(each.half_back_s) for each in found)],
        ["all back after", *(time(each.all_back_s) for each in found)],
    ]
    lines = columns(["", *("" for _ in found)], rows, right=tuple(range(1, len(found) + 1)))
    return ["when all reconnect", *lines[1:]]


def quotas(found: Sequence[Headroom]) -> list[str]:
    rows = [
        [each.quota.what, amount(each.quota.limit), amount(each.usual),
         "" if each.storm is None else amount(each.storm), percent(each.share), each.quota.raised_by]
        for each in found[:QUOTAS_SHOWN]
    ]  # fmt: skip
    head = ["quotas, fullest first", "limit", "usual", "return", "full", "raised by"]
    return columns(head, rows, right=(1, 2, 3, 4))


def advice(found: Sequence[Suggestion]) -> list[str]:
    if not found:
        return []
    return ["suggested", *(line for each in found for line in suggested(each))]


def next_step(found: Estimate) -> str | None:
    """Return the command's words that set what is suggested."""
    options = [each.option for each in found.suggestions if each.option]
    return f"authorizer update {' '.join(options)}" if options else None


def suggested(found: Suggestion) -> list[str]:
    value = {"s": time(found.value), "on": "on"}.get(found.unit, f"{found.value:,}{found.unit}")
    option = f", `{found.option}`" if found.option else ""
    return [f"  {found.topic}: {value}{option}", *(f"    {line}" for line in folded(found.reason, 4))]


def assumptions(found: Estimate) -> list[str]:
    """Return everything that was assumed, or given: the answer holds for this and nothing else."""
    return ["assumed", *(line for name, text in assumed(found) for line in item(name, text))]


def assumed(found: Estimate) -> list[tuple[str, str]]:
    from iotauth_cli.operations.estimate import load as loads

    fleet, function, limits = found.question.fleet, found.question.function, found.question.limits
    sending = f"{counted(fleet.messages_per_day, 'message')} a day of {counted(fleet.message_bytes, 'byte')}"
    if fleet.protocol == "http":
        habits = f"HTTPS, {'answers cached on a kept connection' if fleet.is_cached else 'a call for each message'}"
    else:
        habits = (
            f"connected {amount(fleet.connect_hours)} h a day, {counted(found.load.connects, 'connect')} a day, "
            f"{counted(fleet.filters, 'subscription')} at each"
        )
    return [
        ("a device", f"{habits}; {sending}, each to {counted(fleet.receivers, 'receiver')}"),
        ("messages", ", ".join(f"{amount(count)} {name}" for name, count in found.load.messages.items() if count)),
        ("timers", f"refresh {time(fleet.refresh_s)}, disconnect {time(fleet.disconnect_s)}; a month of 30 days"),
        (
            "the function",
            f"{function.memory_mb} MB, {function.architecture}; {function.warm_ms} ms a call, nearly all of it waiting "
            f"for DynamoDB; {function.init_ms} ms to start, billed, in 1 call of {round(1 / loads.COLD_SHARE)}",
        ),
        (
            "the table",
            f"on demand; a row of {loads.ROW_BYTES} bytes read consistently at each call, unknown clients too; "
            f"{loads.ROTATIONS_A_YEAR} rotation a year; a partition serves 3,000 reads and 1,000 writes a second, "
            "and client ids spread over them",
        ),
        (
            "the log",
            f"{sum(loads.LOG_BYTES)} bytes a call in {len(loads.LOG_BYTES)} lines, kept {function.retention_days} days "
            "and compressed to 15%",
        ),
        (
            "the account",
            f"{counted(limits.connects_per_s, 'connect')} a second, {counted(limits.concurrency, 'call')} at a time; "
            "a new account may have 10 of these, a small region fewer connects",
        ),
        ("not counted", "rules, shadows, taxes, and data out to devices; signed tokens cost nothing"),
    ]


def columns(head: Sequence[str], rows: Sequence[Sequence[str]], right: tuple[int, ...]) -> list[str]:
    """Lay out a table whose numbers stand right."""
    everything = [head, *rows]
    widths = [max(len(row[index]) for row in everything) for index in range(len(head))]
    return [
        "  ".join(
            cell.rjust(width) if index in right else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in everything
    ]


def item(name: str, text: str) -> list[str]:
    """Return `name  text`, folded under its first line; below a longer name the text has lines of its own."""
    indent = " " * (LABEL + 2)
    lines = [indent + line for line in folded(text, LABEL + 2)]
    if len(name) > LABEL - 2:
        return [f"  {name}", *lines]
    return [f"  {name:<{LABEL}}{lines[0].lstrip()}", *lines[1:]]


def folded(text: str, indent: int = 0) -> list[str]:
    import textwrap

    width = max(min(terminal_width(), WIDTH) - indent, 20)
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False) or [""]


def counted(count: int | Fraction, what: str) -> str:
    return f"{amount(count)} {what}{'' if count == 1 else 's'}"


def dollars(micro_usd: int) -> str:
    """Return an amount in cents, or as a bound where it is less than one."""
    if 0 < micro_usd < MICRO // 100:
        return "<$0.01"
    cents = (micro_usd + MICRO // 200) // (MICRO // 100)
    return f"${cents // 100:,}.{cents % 100:02}"


def amount(value: float | Fraction) -> str:
    """Return a number in as few digits as tell it: whole from ten on."""
    if value == int(value) or value >= 10:
        return f"{round(value):,}"
    return "<0.01" if value < 0.01 else f"{float(value):.2f}".rstrip("0").rstrip(".")


def percent(share: float) -> str:
    """Return a share; how far above full it is matters no more from ten times on."""
    if share > MUCH:
        return ">1,000 %"
    return f"{share * 100:,.0f} %" if share >= 0.01 else "<1 %"


def time(seconds: int | None) -> str:
    from iotauth_cli.operations.estimate import in_words

    return "over a day" if seconds is None else in_words(seconds)


def document(found: Estimate) -> dict[str, Any]:
    """Return everything as JSON: numbers as numbers, quantities and money with six decimals at most."""
    from dataclasses import asdict

    question = found.question
    return {
        "region": question.region,
        "currency": "USD",
        "fleet": plain(asdict(question.fleet)),
        "function": plain(asdict(question.function)),
        "limits": asdict(question.limits),
        "monthly": bill_document(found.bill),
        "million_calls_usd": usd(found.million_calls_micro_usd),
        "messages": plain(found.load.messages),
        "device_day": plain({
            "connects": found.load.connects, "calls": found.load.calls, "session_s": found.load.session_s,
        }),
        "per_second": plain({
            "calls": found.load.calls_per_s, "connects": found.load.connects_per_s,
            "published": found.load.published_per_s, "delivered": found.load.delivered_per_s,
        }),
        "refresh_timers": [choice_document(each) for each in found.choices],
        "returns": [{**plain(asdict(each)), "wait": each.wait.name} for each in found.storms],
        "quotas": [quota_document(each) for each in found.headrooms],
        "suggestions": [asdict(each) for each in found.suggestions],
        "assumptions": dict(assumed(found)),
        "prices": {key: price_document(price) for key, price in question.prices.items()},
    }  # fmt: skip


def bill_document(bill: Bill) -> dict[str, Any]:
    return {
        "usd": usd(bill.micro_usd),
        "authorizer_usd": usd(bill.authorizer_micro_usd),
        "free_tier_usd": usd(bill.free_micro_usd),
        "lines": [
            {
                "key": line.price.key,
                "what": line.price.what,
                "quantity": as_number(line.quantity),
                "unit": line.price.unit,
                "usd": usd(line.micro_usd),
                "free_tier": free_document(line),
                "price_region": line.price.region,
            }
            for line in bill.lines
        ],
    }  # fmt: skip


def free_document(line: Line) -> dict[str, Any] | None:
    if line.allowance is None:
        return None
    return {
        "quantity": line.allowance.quantity,
        "lasts": line.allowance.lasts,
        "usd": usd(line.free_micro_usd),
        "source": line.allowance.source.url,
    }


def choice_document(choice: Choice) -> dict[str, Any]:
    return {
        "refresh_s": choice.refresh_s,
        "is_asked": choice.is_asked,
        "calls_per_month": as_number(choice.calls_per_month),
        "authorizer_usd": usd(choice.authorizer_micro_usd),
        "usd": usd(choice.micro_usd),
    }


def quota_document(headroom: Headroom) -> dict[str, Any]:
    quota = headroom.quota
    return {
        "what": quota.what,
        "limit": quota.limit,
        "usual": as_number(headroom.usual),
        "return": None if headroom.storm is None else as_number(headroom.storm),
        "share": as_number(headroom.share),
        "is_adjustable": quota.is_adjustable,
        "code": quota.code,
        "source": quota.source,
    }


def price_document(price: Price) -> dict[str, Any]:
    """Return a price as `--prices` reads it."""
    from dataclasses import asdict

    return {
        "per": price.per,
        "unit": price.unit,
        "tiers": [{"up_to": tier.up_to, "usd": float(tier.usd)} for tier in price.tiers],
        "region": price.region,
        "source": asdict(price.source),
    }


def plain(members: Any) -> dict[str, Any]:
    return {key: as_number(value) if isinstance(value, (float, Fraction)) else value for key, value in members.items()}


def usd(micro_usd: int) -> int | float:
    return as_number(Fraction(micro_usd, MICRO))


def as_number(value: float | Fraction) -> int | float:
    return int(value) if value == int(value) else round(float(value), PRECISION)
