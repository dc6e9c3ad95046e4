"""Which refusals waiting does not help: an account that is used up, and a request that is larger than its limit."""

from __future__ import annotations

import re

from searchkit.wire.errors import Failure

# What an account has used up: waiting a minute does not bring it back.
_SPENT = re.compile(
    r"insufficient[ _](?:account )?(?:quota|balance|credit|funds)|insufficient(?:quota|balance|credit|funds)"
    r"|billing[ _](?:hard[ _]limit|not[ _]active)|account is not (?:active|in good standing)|exceeded_current_quota"
    r"|budget[ _]?exceeded|exceeded[ _]?budget|budget has been exceeded|credit[ _]limit|credit balance"
    r"|(?:available|included|monthly|trial|prepaid|free) credits|out of credits|(?:no|any) (?:more )?credits"
    r"|credits? (?:have |has |is |are )?(?:expired|exhausted|used up|depleted)|(?:exhausted|used up|spent) (?:all )?"
    r"(?:of )?your (?:\w{1,20} ){0,3}(?:credits|allocation|quota|allowance|balance|tokens)|spend(?:ing)?[ _]limit"
    r"|(?:balance|funds) (?:is |are |was )?(?:too low|not enough|insufficient|negative|exhausted|depleted)"
    r"|overdue|arrear|payment[ _]required|recharge|perday|trial key|calls / month|top[ _-]?up"
    r"|monthly (?:limit|quota|usage|included|budget|allowance)|quota_exhausted|free[ _]?tier[ _]?(?:limit|only)"
    r"|free (?:tier|trial|quota|plan|allowance)[^.]{0,40} (?:exhausted|expired|ended|used up|over)"
    r"|api usage limits|regain access|key limit exceeded|limit exceeded \((?:total|daily|weekly|monthly) limit"
    r"|(?:organi[sz]ation|account|workspace|project|team) (?:has been |is |was )(?:disabled|suspended|deactivated"
    r"|closed)"
    r"|欠费|余额不足|充值|(?:额度|配额|余额|免费额度)(?:已|不足|用完|耗尽)",
    re.IGNORECASE,
)
# What may end with a day, if no wait is named; and what may with a minute, if a wait is named, or a rate.
_DAY = re.compile(r"per[ -]day|daily (?:\w{1,20} )?(?:limit|quota|allocation|usage)", re.IGNORECASE)
_PERHAPS = re.compile(
    r"exceeded your (?:current |monthly |daily |free )*quota|check your plan|quota (?:is |has been |was )?exceeded"
    r"|out of quota",
    re.IGNORECASE,
)
_RATE = re.compile(
    r"per[ _-]?(?:minute|second|min|sec)(?![a-z])|perminute|persecond|/ ?(?:minute|second|min|sec|s)\b|\b[rtq]p[ms]\b"
    r"|throttling|burst|rate[ _-]?limit|ratequota|concurren",
    re.IGNORECASE,
)
_TOO_LARGE = re.compile(
    r"request (?:is |was )?too (?:large|big)|limit:? ([0-9,]{1,20})\b[^0-9]{1,40}requested:? ([0-9,]{1,20})",
    re.IGNORECASE,
)
_LIMITED = re.compile(
    r"(?:rate[ _-]?limit|ratelimit)[ _-]?(?:was |has been |is )?(?:exceeded|reached)|too many requests|toomanyrequests"
    r"|throttling",
    re.IGNORECASE,
)


def is_spent(failure: Failure, status: int | None = None) -> bool:
    """Whether what is refused has used up an account's money or quota, so that waiting does not help.

    status: of the answer.
    """
    said = f"{failure.names} {failure.message}"
    if 402 in (status, failure.status) or _SPENT.search(said):
        return True
    perhaps = _DAY.search(said) or (_PERHAPS.search(said) and not _RATE.search(said))
    return failure.wait is None and bool(perhaps)


def is_too_large(failure: Failure) -> bool:
    """Whether one request is more than a limit allows in all its time: it is refused for ever, as a limit of rates is.

    >>> is_too_large(Failure("Request too large on tokens per min (TPM): Limit 30000, Requested 40000."))
    True
    """
    found = _TOO_LARGE.search(failure.message)
    if found is None or found[1] is None:
        return found is not None
    limit, requested = (int(n.replace(",", "") or 0) for n in found.groups())
    return requested > limit


def is_limited(failure: Failure) -> bool:
    """Whether a refusal whose status says something else (403 of GitHub, 400 of AWS) is of too many requests."""
    return _LIMITED.search(f"{failure.names} {failure.message}") is not None
