"""Every code that AWS may answer our calls with, as data: what kind of error it is, how it is said, what to type next.

A test goes over the service models of all operations that are called and demands a row for each of their errors;
the codes that models leave out, since any call may meet them, are here by each service's page of common errors.
A code without a row keeps AWS's words.

In the texts, `{failed}` is "`iot:CreateAuthorizer` of authorizer `doors` failed", `{what}` is "authorizer `doors`",
`{name}` is "doors", `{said}` is what AWS said, `{label}` is "AWS eu-west-1", `{aws}` the AWS CLI for that place,
`{login}` the command that renews a login, `{limit}` the limit that the action may have met, `{quotas}` where it is
shown. A text that needs a name is passed over for *unnamed* where the call named nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from iotauth_cli.errors import (
    AccessDenied,
    AlreadyExists,
    AwsError,
    BadAnswer,
    ConfigError,
    Conflict,
    IotauthError,
    NotFound,
    Throttled,
)


@dataclass(frozen=True)
class Row:
    """*about* is what the codes have in common, for the reference; *codes* are AWS's names of the error."""

    about: str
    codes: tuple[str, ...]
    kind: type[IotauthError]
    says: str
    hint: str
    unnamed: str = "{failed}: {said}"


FAILED = "{failed}: {said}"
AGAIN = "wait a little and run the same command again"
FUNCTION = "{aws} lambda get-function-configuration --function-name {name} --query"

ROWS: tuple[Row, ...] = (
    Row(
        "a right is missing",
        (
            "AccessDenied",
            "AccessDeniedException",
            "AuthorizationError",
            "AuthorizationErrorException",
            "Forbidden",
            "ForbiddenException",
            "NotAuthorized",
            "UnauthorizedException",
            "UnauthorizedOperation",
            "403",
        ),
        AccessDenied,
        "{who} may not call `{action}`",  # and what kind of policy decided, where AWS tells: see `aws.errors`
        "let an administrator allow it with the statement below",
    ),
    Row(
        "the login is over",
        ("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"),
        ConfigError,
        "the AWS session has expired",
        "log in again with {login}",
    ),
    Row(
        "an MFA code is wrong",
        ("InvalidMfaCode",),  # a name of ours: STS calls it AccessDenied
        ConfigError,
        "AWS does not accept this MFA code",
        "run the same command again with the next code; each counts once",
    ),
    Row(
        "the clock is wrong",
        ("RequestExpired", "RequestInTheFuture", "RequestTimeTooSkewed"),
        ConfigError,
        "AWS refuses the time in the request: this machine's clock is wrong, or the request took very long",
        "see by how much with `iotauth doctor --only clock`",
    ),
    Row(
        "the keys are not AWS's",
        (
            "AuthFailure",
            "IncompleteSignature",
            "IncompleteSignatureException",
            "InvalidAccessKeyId",
            "InvalidClientTokenId",
            "InvalidSignatureException",
            "MissingAuthenticationToken",
            "MissingAuthenticationTokenException",
            "SignatureDoesNotMatch",
            "UnrecognizedClientException",
        ),
        ConfigError,
        "AWS does not accept these keys",
        "see whose they are: `aws sts get-caller-identity`; a region that is not enabled says the same",
    ),
    Row(
        "the region or the service is not enabled",
        ("OptInRequired", "RegionDisabledException", "SubscriptionRequiredException", "AccountNotEnabled"),
        ConfigError,
        "{label} is not enabled for this account: {said}",
        "enable it, `aws account enable-region --region-name {region}`, or choose another with `--region`",
        unnamed="{label} is not enabled for this account: {said}",
    ),
    Row(
        "AWS slows the account down",
        (
            "ProvisionedThroughputExceeded",
            "ProvisionedThroughputExceededException",
            "RequestLimitExceeded",
            "RequestThrottled",
            "RequestThrottledException",
            "SlowDown",
            "ThrottledException",
            "Throttling",
            "ThrottlingError",
            "ThrottlingException",
            "TooManyRequestsException",
            "429",
        ),
        Throttled,
        FAILED,
        "AWS slows this account down; wait a little and run the same command again",
    ),
    Row(
        "there is no such thing",
        (
            "NoSuchEntity",
            "NoSuchEntityException",
            "ResourceNotFound",
            "ResourceNotFoundException",
            "TableNotFoundException",
            "404",
        ),
        NotFound,
        # What is missing need not be what was named: a domain configuration wants its authorizer.
        "{failed}, since something is not there: {said}",
        "`iotauth doctor` says what there is, and `iotauth authorizer create` brings what is missing",
    ),
    Row(
        "it was never set up",
        ("NotConfiguredException",),
        AwsError,
        FAILED,
        "AWS IoT's log was never turned on here: `iotauth logs enable`",
    ),
    Row(
        "it exists already",
        (
            "AlreadyExistsException",
            "EntityAlreadyExists",
            "EntityAlreadyExistsException",
            "ResourceAlreadyExistsException",
            "TableAlreadyExistsException",
            "DuplicateItem",
            "DuplicateItemException",
        ),
        AlreadyExists,
        "{failed}, since it is there already: {said}",
        "run the same command again: it starts from what is there",
    ),
    Row(
        "another change is in progress",
        (
            "ConcurrentModification",
            "ConcurrentModificationException",
            "ConditionalCheckFailed",
            "ConditionalCheckFailedException",
            "ConflictException",
            "ConflictingResourceUpdateException",
            "ContinuousBackupsUnavailableException",
            "DurableExecutionAlreadyStartedException",
            "IdempotentParameterMismatchException",
            "OperationAbortedException",
            "PreconditionFailedException",
            "ReplicatedWriteConflictException",
            "ResourceConflictException",
            "ResourceInUseException",
            "ResourceNotReadyException",
            "TokenAlreadyExistsException",
            "TransactionCanceledException",
            "TransactionConflict",
            "TransactionConflictException",
            "TransactionInProgressException",
        ),
        Conflict,
        FAILED,
        "another change is still in progress; wait a little and run the same command again",
    ),
    Row(
        "a role is in use",
        ("DeleteConflict",),
        Conflict,
        "{what} still has something attached: {said}",
        "see what: `{aws} iam list-attached-role-policies --role-name {name}`",
    ),
    Row(
        "an authorizer is in use",
        ("DeleteConflictException",),
        Conflict,
        "{what} is still in use: {said}",
        "`iotauth authorizer delete {name}` deactivates it first, and says what else holds it",
    ),
    Row(
        "a limit is reached",
        (
            "CodeStorageExceededException",
            "FunctionVersionsPerCapacityProviderLimitExceededException",
            "ItemCollectionSizeLimitExceeded",
            "ItemCollectionSizeLimitExceededException",
            "LimitExceeded",
            "LimitExceededException",
            "PolicyLengthExceededException",
            "ServiceQuotaExceededException",
            "TooManyTagsException",
        ),
        AwsError,
        "{failed}: {said}; {limit}",
        "see the limits with `{quotas}`, and ask there for more",
        unnamed="{failed}: {said}; {limit}",
    ),
    Row(
        "it is too large",
        (
            "RequestEntityTooLargeException",
            "RequestTooLargeException",
            "SerializedRequestEntityTooLargeException",
            "413",
        ),
        AwsError,
        "{failed}, since it is larger than the service takes: {said}",
        "send less at once",
        unnamed="{failed}, since it is larger than the service takes: {said}",
    ),
    Row(
        "AWS takes the request for wrong",
        (
            "CertificateValidationException",
            "InsufficientCapabilitiesException",
            "InvalidInput",
            "InvalidParameterCombination",
            "InvalidParameterException",
            "InvalidParameterValue",
            "InvalidParameterValueException",
            "InvalidQueryParameter",
            "InvalidRequestContentException",
            "InvalidRequestException",
            "MalformedHttpRequestException",
            "MalformedPolicyDocument",
            "MalformedPolicyDocumentException",
            "MalformedQueryString",
            "MissingParameter",
            "PackedPolicyTooLarge",
            "SerializationException",
            "TagPolicyException",
            "UnsupportedMediaTypeException",
            "ValidationError",
            "ValidationException",
            "400",
        ),
        AwsError,
        FAILED,
        "check the names that were sent with `iotauth config show`",
    ),
    Row(
        "the service does not know the call",
        (
            "InvalidAction",
            "MethodNotAllowedException",
            "MissingAction",
            "UnknownOperationException",
            "405",
            "501",
        ),
        AwsError,
        "{label} does not know `{action}`: {said}",
        "choose another region with `--region`, or update: `pip install --upgrade iotauth boto3`",
        unnamed="{label} does not know `{action}`: {said}",
    ),
    Row(
        "AWS has a problem of its own",
        (
            "InternalError",
            "InternalException",
            "InternalFailure",
            "InternalFailureException",
            "InternalServerError",
            "InternalServerException",
            "RequestAbortedException",
            "RequestTimeout",
            "RequestTimeoutException",
            "ServiceException",
            "ServiceFailure",
            "ServiceFailureException",
            "ServiceUnavailable",
            "ServiceUnavailableException",
            "500",
            "502",
            "503",
            "504",
        ),
        AwsError,
        FAILED,
        f"AWS has a problem of its own: {AGAIN}; https://health.aws.amazon.com shows larger ones",
    ),
    Row(
        "a function's answer is none",
        ("InvalidResponseException",),
        BadAnswer,
        FAILED,
        "see what the function does with `iotauth logs --since 10m`",
    ),
    Row(
        "it belongs to AWS",
        ("UnmodifiableEntity", "UnmodifiableEntityException"),
        Conflict,
        "{what} belongs to an AWS service, and only that may change it",
        "choose another name: `IOTAUTH_FUNCTION=…`",
    ),
    Row(
        "the account blocks public access",
        ("PublicPolicyException",),
        Conflict,
        "the account blocks permissions of {what} that are public: {said}",
        "see its permissions with `{aws} lambda get-policy --function-name {name}`",
    ),
    Row(
        "the function takes only signed code",
        ("CodeSigningConfigNotFoundException", "CodeVerificationFailedException", "InvalidCodeSignatureException"),
        AwsError,
        "{what} takes only code that is signed, and ours is not: {said}",
        "see who demands it: `{aws} lambda get-function-code-signing-config --function-name {name}`",
    ),
    Row(
        "the function's key",
        ("KMSAccessDeniedException", "KMSDisabledException", "KMSInvalidStateException", "KMSNotFoundException"),
        AwsError,
        "Lambda cannot use the KMS key of {what}: {said}",
        f"see which key it is: `{FUNCTION} KMSKeyArn`",
    ),
    Row(
        "the function's network",
        (
            "EC2AccessDeniedException",
            "EC2ThrottledException",
            "EC2UnexpectedException",
            "ENILimitReachedException",
            "ENINotReadyException",
            "InvalidSecurityGroupIDException",
            "InvalidSubnetIDException",
            "SubnetIPAddressLimitReachedException",
        ),
        AwsError,
        "Lambda cannot put {what} into its network: {said}",
        f"see which network it is: `{FUNCTION} VpcConfig`",
    ),
    Row(
        "the function's file system",
        (
            "EFSIOException",
            "EFSMountConnectivityException",
            "EFSMountFailureException",
            "EFSMountTimeoutException",
            "S3FilesMountConnectivityException",
            "S3FilesMountFailureException",
            "S3FilesMountTimeoutException",
        ),
        AwsError,
        "Lambda cannot mount the file system of {what}: {said}",
        f"see which it is: `{FUNCTION} FileSystemConfigs`",
    ),
    Row(
        "the function's snapshot",
        (
            "SnapStartException",
            "SnapStartNotReadyException",
            "SnapStartRegenerationFailureException",
            "SnapStartTimeoutException",
        ),
        AwsError,
        "{what} cannot start from its snapshot: {said}",
        f"see how it is set: `{FUNCTION} SnapStart`",
    ),
    Row(
        "the function's code or runtime",
        (
            "CodeArtifactUserDeletedException",
            "CodeArtifactUserFailedException",
            "CodeArtifactUserPendingException",
            "InvalidRuntimeException",
            "InvalidZipFileException",
            "ModeNotSupportedException",
            "NoPublishedVersionException",
            "RecursiveInvocationException",
            "RuntimeAliasDeletedException",
            "RuntimeVersionDeletedException",
        ),
        AwsError,
        "Lambda cannot run {what}: {said}",
        "if it is iotauth's, `iotauth authorizer create` brings code and runtime in order",
    ),
)

BY_CODE: Mapping[str, Row] = {code: row for row in ROWS for code in row.codes}

# What AWS says under a code that means something else as well: a text in its words, and the code whose row it is.
# Source: AWS General Reference, "Troubleshoot Signature Version 4 signing".
MEANT: tuple[tuple[str, str], ...] = (
    ("Signature expired", "RequestTimeTooSkewed"),
    ("Signature not yet current", "RequestTimeTooSkewed"),
    ("security token included in the request is expired", "ExpiredToken"),
    ("invalid MFA one time pass code", "InvalidMfaCode"),
)

# The limit that an action may have met, as AWS's pages on quotas have it for a new account in 2026, and the service's
# name there. Where no figure stands, AWS documents none.
LIMITS: Mapping[str, tuple[str, str]] = {
    "cloudformation:CreateStack": ("an account has 2,000 stacks in a region", "cloudformation"),
    "dynamodb:CreateTable": ("500 tables may be changing at once, and a region has 2,500", "dynamodb"),
    "dynamodb:DeleteTable": ("500 tables may be changing at once", "dynamodb"),
    "dynamodb:UpdateTable": ("500 tables may be changing at once", "dynamodb"),
    "dynamodb:UpdateTimeToLive": ("500 tables may be changing at once", "dynamodb"),
    "iam:CreateRole": ("an account has 1,000 roles", "iam"),
    "iam:PutRolePolicy": ("the policies inside a role have 10,240 characters together", "iam"),
    "iam:TagRole": ("a role has 50 tags", "iam"),
    "iam:UpdateAssumeRolePolicy": ("a trust policy has 2,048 characters", "iam"),
    "iot:CreateAuthorizer": ("an account has only so many authorizers in a region, and active ones", "iotcore"),
    "iot:CreateDomainConfiguration": ("an account has 10 domain configurations in a region", "iotcore"),
    "iot:UpdateAuthorizer": ("an account has only so many active authorizers in a region", "iotcore"),
    "lambda:AddPermission": ("a function's resource policy has 20 kB", "lambda"),
    "lambda:CreateFunction": ("an account has 75 GB of code in a region", "lambda"),
    "lambda:UpdateFunctionCode": ("an account has 75 GB of code in a region", "lambda"),
    "logs:CreateLogGroup": ("an account has 1,000,000 log groups in a region", "logs"),
}
OTHER_LIMIT = "a limit of the account is reached"
