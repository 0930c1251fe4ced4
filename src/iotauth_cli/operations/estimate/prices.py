"""What AWS asks for: list prices as data, each with where and when it was read.

Nobody can look a price up while this runs, so a price carries its source. One that AWS itself states,
on a page of its own or in a worked example, is `from_aws`; the others are other people's summaries of
AWS's price list. A region has only the prices that a source gives for that region; for the rest
us-east-1's stand in, and keep saying so. `price_file` puts somebody's own prices over them.

Money is exact: prices are fractions of a dollar, and only a finished line is rounded, to micro-dollars.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from iotauth_cli.errors import InputError

MILLION = 1_000_000
BILLION = 1_000_000_000
HOME = "us-east-1"  # the region whose prices are complete
OTHER_CURRENCY = "cn-"  # AWS China sends its bills in CNY, by a price list of its own

ALWAYS = "always"
FIRST_YEAR = "12 months, accounts made before 2025-07-15"


@dataclass(frozen=True)
class Source:
    """Where prices were read. *date* is the day, month or year of the text."""

    title: str
    url: str
    date: str
    from_aws: bool = False


@dataclass(frozen=True)
class Tier:
    """*usd* for each `Price.per` units, of those that go up to *up_to* in a month; None is no end."""

    up_to: int | None
    usd: Fraction


@dataclass(frozen=True)
class Price:
    """What one thing costs: *tiers* in rising order, each price for *per* units."""

    key: str
    what: str
    unit: str
    per: int
    tiers: tuple[Tier, ...]
    region: str
    source: Source

    def usd(self, quantity: Fraction) -> Fraction:
        """Return what *quantity* units cost in one month, exactly."""
        cost, start = Fraction(0), Fraction(0)
        for tier in self.tiers:
            end = quantity if tier.up_to is None else min(quantity, Fraction(tier.up_to))
            cost += (end - start) * tier.usd / self.per
            start = end
        return cost


@dataclass(frozen=True)
class Allowance:
    """What AWS gives away of one thing each month, and for how long."""

    quantity: int
    lasts: str
    source: Source


IOT_README = Source("AWS sample README quoting the AWS IoT Core price page", "https://aws.amazon.com/iot-core/pricing/",
                    "2025-01", from_aws=True)  # fmt: skip
IOT_EXAMPLE = Source("AWS IoT Core pricing, worked example for Europe (Ireland)",
                     "https://aws.amazon.com/iot-core/pricing/", "2026-09-20", from_aws=True)  # fmt: skip
IOT_TIERS = Source("AWS IoT Core pricing, worked example; the tiers above a billion by Tokyo's, less its surcharge",
                   "https://aws.amazon.com/iot-core/pricing/", "2026-09-20")  # fmt: skip
IOT_TOKYO = Source("AWS IoT prices in Tokyo, summarised on Qiita",
                   "https://qiita.com/thetsuthetsu/items/c0d5c01834965f853034", "undated")  # fmt: skip
LAMBDA_PAGE = Source("AWS Lambda pricing", "https://aws.amazon.com/lambda/pricing/", "2026-09-20", from_aws=True)
LAMBDA_TIERS = Source("AWS Lambda pricing, summarised by cloudchipr; the third tier has no source",
                      "https://cloudchipr.com/blog/aws-lambda-pricing", "2024")  # fmt: skip
LAMBDA_REGIONS = Source("AWS Lambda prices by region in artillery 2.0.28",
                        "https://unpkg.com/artillery@2.0.28/lib/platform/aws-lambda/prices.js",
                        "2025")  # fmt: skip
TABLE_UNITS = Source("Amazon DynamoDB on-demand prices since 2024-11, summarised by Airbyte",
                     "https://airbyte.com/data-engineering-resources/dynamodb-pricing", "2025-07-21")  # fmt: skip
TABLE_STORAGE = Source("Amazon DynamoDB storage price, summarised on GitHub",
                       "https://gist.github.com/bahrmichael/94e01d26dc21b9b7156d7d27b1b9e16e", "2020-12")  # fmt: skip
TABLE_RECOVERY = Source("Amazon DynamoDB backup prices, summarised by finops.com.py",
                        "https://finops.com.py/services/dynamodb/backups", "undated")  # fmt: skip
LOG_TIERS = Source("Lambda's tiered CloudWatch Logs prices since 2025-05-01, summarised by Duckbill",
                   "https://www.duckbillgroup.com/?p=9080", "2025-05")  # fmt: skip
LOG_STORAGE = Source("Amazon CloudWatch Logs storage price, summarised by Hykell",
                     "https://hykell.com/knowledge-base/aws-cloudwatch-logs-pricing",
                     "undated")  # fmt: skip
LOG_TOKYO = Source("Amazon CloudWatch Logs prices in Tokyo, by awsi.click",
                   "https://awsi.click/en/articles/cloudwatch-logs-cost-structure-surprise/", "undated")  # fmt: skip
LOG_FREE = Source("Amazon CloudWatch pricing", "https://aws.eu/de/cloudwatch/pricing", "undated", from_aws=True)
TABLE_FREE = Source("AWS Free Tier of DynamoDB, summarised on GitHub",
                    "https://gist.github.com/bluejack/68dd851e8ff1c480d623fc0b09e0423b", "2019-12-27")  # fmt: skip

# What there is to pay for: (key, name in the bill, unit, units that a price is for).
ITEMS = (
    ("iot-connectivity", "connection minutes", "minute", MILLION),
    ("iot-messages", "messages of 5 KB", "message", MILLION),
    ("lambda-requests", "function calls", "call", MILLION),
    ("lambda-arm64", "function, arm64", "GB-second", 1),
    ("lambda-x86_64", "function, x86_64", "GB-second", 1),
    ("table-reads", "table reads", "read unit", MILLION),
    ("table-writes", "table writes", "write unit", MILLION),
    ("table-storage", "table storage", "GB-month", 1),
    ("table-recovery", "table recovery", "GB-month", 1),
    ("log-ingestion", "log lines taken in", "GB", 1),
    ("log-storage", "log lines kept", "GB-month", 1),
)
AUTHORIZER = ("lambda-", "table-", "log-")  # what the authorizer costs; the rest is AWS IoT, with any authentication

Written = tuple[tuple[int | None, str], ...]  # tiers: where each ends, and its price as it was read

PRICES: Mapping[str, Mapping[str, tuple[Written, Source]]] = {
    HOME: {
        "iot-connectivity": (((None, "0.08"),), IOT_README),
        "iot-messages": (((BILLION, "1.00"), (5 * BILLION, "0.80"), (None, "0.70")), IOT_TIERS),
        "lambda-requests": (((None, "0.20"),), LAMBDA_PAGE),
        "lambda-arm64": (
            ((7_500_000_000, "0.0000133334"), (18_750_000_000, "0.0000120001"), (None, "0.0000106667")),
            LAMBDA_TIERS,
        ),
        "lambda-x86_64": (
            ((6 * BILLION, "0.0000166667"), (15 * BILLION, "0.0000150000"), (None, "0.0000133334")),
            LAMBDA_TIERS,
        ),
        "table-reads": (((None, "0.125"),), TABLE_UNITS),
        "table-writes": (((None, "0.625"),), TABLE_UNITS),
        "table-storage": (((None, "0.25"),), TABLE_STORAGE),
        "table-recovery": (((None, "0.20"),), TABLE_RECOVERY),
        "log-ingestion": (((10_000, "0.50"), (30_000, "0.25"), (50_000, "0.10"), (None, "0.05")), LOG_TIERS),
        "log-storage": (((None, "0.03"),), LOG_STORAGE),
    },
    "eu-central-1": {
        "iot-connectivity": (((None, "0.096"),), IOT_README),
        "lambda-arm64": (((None, "0.0000133334"),), LAMBDA_REGIONS),
        "lambda-x86_64": (((None, "0.0000166667"),), LAMBDA_REGIONS),
    },
    "eu-west-1": {
        "iot-connectivity": (((None, "0.08"),), IOT_EXAMPLE),
        "iot-messages": (((BILLION, "1.00"), (5 * BILLION, "0.80"), (None, "0.70")), IOT_TIERS),
        "lambda-arm64": (((None, "0.0000133334"),), LAMBDA_REGIONS),
        "lambda-x86_64": (((None, "0.0000166667"),), LAMBDA_REGIONS),
    },
    "ap-northeast-1": {
        "iot-connectivity": (((None, "0.096"),), IOT_TOKYO),
        "iot-messages": (((BILLION, "1.20"), (5 * BILLION, "0.96"), (None, "0.84")), IOT_TOKYO),
        "lambda-arm64": (((None, "0.0000133334"),), LAMBDA_REGIONS),
        "lambda-x86_64": (((None, "0.0000166667"),), LAMBDA_REGIONS),
        "log-ingestion": (((None, "0.76"),), LOG_TOKYO),
        "log-storage": (((None, "0.033"),), LOG_TOKYO),
    },
}

FREE: Mapping[str, Allowance] = {
    "iot-connectivity": Allowance(2_250_000, FIRST_YEAR, IOT_EXAMPLE),
    "iot-messages": Allowance(500_000, FIRST_YEAR, IOT_EXAMPLE),
    "lambda-requests": Allowance(1_000_000, ALWAYS, LAMBDA_PAGE),
    "lambda-arm64": Allowance(400_000, ALWAYS, LAMBDA_PAGE),
    "lambda-x86_64": Allowance(400_000, ALWAYS, LAMBDA_PAGE),
    "table-storage": Allowance(25, ALWAYS, TABLE_FREE),
    "log-ingestion": Allowance(5, ALWAYS, LOG_FREE),
    "log-storage": Allowance(5, ALWAYS, LOG_FREE),
}


def prices_for(region: str) -> dict[str, Price]:
    """Return the price of each item in *region*: its own where a source gives it, else us-east-1's.

    Raises:
        InputError: the region pays in another currency, by prices of its own.
    """
    if region.startswith(OTHER_CURRENCY):
        raise InputError(
            f"no price of `{region}` is known here: AWS China has a price list of its own, in CNY",
            hint=f"give your prices with `--prices FILE`, or see another region's: `--region {HOME}`",
        )
    return {item[0]: price(item, region if item[0] in PRICES.get(region, {}) else HOME) for item in ITEMS}


def price(item: tuple[str, str, str, int], region: str) -> Price:
    key, what, unit, per = item
    written, source = PRICES[region][key]
    return Price(key, what, unit, per, tuple(Tier(end, Fraction(usd)) for end, usd in written), region, source)


def with_own(known: Mapping[str, Price], own: Mapping[str, Price]) -> dict[str, Price]:
    """Return *known* prices with somebody's *own* in their place."""
    return {key: own.get(key, value) for key, value in known.items()}
