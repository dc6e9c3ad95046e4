"""Accounts that are used up, and limits of a minute that are worded as if they were."""

# ruff: noqa: E501 (tables: a row is a line)
from __future__ import annotations

import pytest

from searchkit.wire.errors import Failure
from searchkit.wire.quotas import is_limited, is_spent, is_too_large

SPENT = [
    Failure("You exceeded your current quota, please check your plan and billing details."),
    Failure("x", names="insufficient_quota"),
    Failure("x", names="insufficient_quota", wait=20.0),
    Failure("Insufficient Balance"),
    Failure("x", 402),
    Failure("Your credit balance is too low to access the API"),
    Failure("x", names="billing_hard_limit_reached"),
    Failure("x", names="billing_not_active"),
    Failure("x", names="GenerateRequestsPerDayPerProjectPerModel-FreeTier", wait=3.0),
    Failure("You have used all available credits"),
    Failure("monthly spending limit reached"),
    Failure("Your account is not in good standing"),
    Failure("x", names="Arrearage"),
    Failure("ExceededBudget: Crossed spend"),
    Failure("This key is out of credits"),
    Failure("Insufficient funds"),
    Failure("Quota exceeded for metric"),
    Failure("Please recharge your account"),
    Failure("Limit reached on requests per day (RPD): Limit 200"),
    Failure("INSUFFICIENT_QUOTA"),
    Failure("you have used up your daily free allocation of 10,000 neurons", names="4006"),
    Failure("You have exceeded your free monthly credits"),
    Failure("Open api daily request limit reached", names="17"),
    Failure("您的账户已欠费，请充值后重试", names="1113"),
    Failure("余额不足或无可用资源包,请充值。"),
    Failure("免费额度已用完"),
    Failure("You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC."),
    Failure("This organization has been disabled."),
    Failure("Sorry, your account balance is insufficient", names="30001"),
    Failure("The request failed because your account has an overdue balance.", names="AccountOverdueError"),
    Failure("Key limit exceeded (total limit). Manage it using https://openrouter.ai/settings/keys"),
    Failure("Key limit exceeded (weekly limit)", 403),
    Failure("Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 requests"),
    Failure("Organization has reached its spend limit", names="spend_limit_reached"),
    Failure("Account 'x': Cloud credits expired - Please contact NVIDIA representatives"),
    Failure("The free tier of the model has been exhausted.", names="AllocationQuota.FreeTierOnly"),
    Failure("Your newly created teams doesn't have any credits yet."),
    Failure("Your team has either used all available credits or reached its monthly spending limit."),
    Failure("You have exhausted your credits"),
    Failure("Your prepaid credits have been depleted"),
    Failure("Your free trial has ended"),
    Failure("The daily token quota was exceeded"),
    Failure("Monthly budget of $50 exceeded for key sk-..."),
    Failure("Your account has been suspended: balance is not enough"),
    Failure("Please top-up your account"),
    Failure("Quota exceeded for the project"),
]
NOT_SPENT = [
    Failure("slow down"),
    Failure("Rate limit reached for requests"),
    Failure("You exceeded your current quota", names="RESOURCE_EXHAUSTED", wait=34.0),
    Failure("Quota exceeded for metric. Please retry in 12s.", wait=12.0),
    Failure("Limit reached on tokens per day (TPD). Please try again in 7m12s", wait=432.0),
    Failure("x", 429, "rate_limit_exceeded"),
    Failure("Resource exhausted. Please try again later.", 429, "RESOURCE_EXHAUSTED"),
    Failure("x", names="GenerateRequestsPerMinutePerProject"),
    Failure("overloaded", 503),
    Failure("insufficient memory"),
    Failure("insufficient_system_resource"),
    Failure("invalid billing address"),
    Failure("The engine is currently overloaded"),
    Failure("Too many tokens a minute"),
    Failure("maximum budget of thoughts exceeded the model's"),
    Failure(""),
    Failure(
        "Quota exceeded for aiplatform.googleapis.com/generate_content_requests_per_minute_per_project_per_base_model with base model: gemini-pro. Please submit a quota increase request.",
        429,
        "RESOURCE_EXHAUSTED",
    ),
    Failure(
        "Quota exceeded for quota metric 'Generate Content API requests per minute' and limit 'per minute per region'"
    ),
    Failure("Allocated quota exceeded, please increase your quota limit.", names="Throttling.AllocationQuota"),
    Failure("Requests throttling triggered. Quota exceeded", names="Throttling.RateQuota"),
    Failure("Request rate increased too quickly.", names="Throttling.BurstRate"),
    Failure("Your quota of 20 requests/min was exceeded"),
    Failure("Quota exceeded: TPM limit reached"),
    Failure("Quota exceeded for concurrent requests"),
    Failure("exceeded token rate limit of your current OpenAI S0 pricing tier"),
    Failure("You can increase your rate limit by adding a payment method to your account at https://x/account/billing"),
    Failure("The load balancer has insufficient capacity, credits apply"),
    Failure("You are past the per minute request limit, please wait and try again later."),
    Failure("The field 'daily' is not known"),
    Failure("the thread pool is closed"),
]


@pytest.mark.parametrize("said", SPENT)
def test_accounts_that_are_used_up(said: Failure) -> None:
    assert is_spent(said)


@pytest.mark.parametrize("said", NOT_SPENT)
def test_accounts_that_are_not(said: Failure) -> None:
    assert not is_spent(said)


@pytest.mark.parametrize("status", [402])
def test_payment_required(status: int) -> None:
    """Whatever is said with it."""
    assert is_spent(Failure(), status)
    assert is_spent(Failure("<html>slow down, 5 requests per minute</html>"), status)


@pytest.mark.parametrize(
    ("said", "large"),
    [
        ("Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 40000. The input must be reduced.", True),
        ("Request too large for model `x`: Limit 6,000, Requested 7,000, please reduce your message size", True),
        ("The request is too large", True),
        ("Rate limit reached on TPM: Limit 30000, Requested 30001", True),
        ("Rate limit reached on TPM: Limit 30000, Used 29000, Requested 2000. Please try again in 3s.", False),
        ("Limit 30000, Requested 30000", False),
        ("Too many requests", False),
        ("", False),
        ("Limit " + "9" * 5000 + ", Requested 1", False),
    ],
)  # fmt: skip
def test_what_is_too_large_for_any_minute(said: str, large: bool) -> None:
    assert is_too_large(Failure(said)) is large


@pytest.mark.parametrize(
    ("said", "limited"),
    [
        (Failure("API rate limit exceeded for user"), True),
        (Failure("You have exceeded a secondary rate limit", names="rate_limit_exceeded"), True),
        (Failure("x", names="userRateLimitExceeded"), True),
        (Failure("Too many requests", names="ThrottlingException"), True),
        (Failure("Invalid API key: rate limits apply to all keys"), False),
        (Failure("You do not have permission"), False),
        (Failure(""), False),
    ],
)
def test_limits_with_another_status(said: Failure, limited: bool) -> None:
    assert is_limited(said) is limited
