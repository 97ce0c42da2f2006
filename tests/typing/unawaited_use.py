"""Twelve misuses of an asynchronous `use`: type checkers find those with a comment.

All but the two that forget something raise when they run, too.
"""
# pyright: strict

import facematch_core as fm


async def asks_if(case: fm.AsyncCheckCase) -> str:
    if case.use():  # no await
        return "paid"
    return "refused"


async def asks_if_not(case: fm.AsyncCheckCase) -> str:
    if not case.use():  # no await
        return "refused"
    return "paid"


async def chooses(case: fm.AsyncVerificationCase) -> str:
    return "paid" if case.use(max_age_s=600) else "refused"  # no await


async def asks_both(case: fm.AsyncCheckCase) -> str:
    if case.purpose and case.use():  # no await
        return "paid"
    return "refused"


async def keeps_it(case: fm.AsyncCheckCase) -> str:
    use = case.use()
    if use:  # no await
        return "paid"
    return "refused"


async def asserts(case: fm.AsyncVerificationCase) -> str:
    assert case.use(max_age_s=600)  # no await: mypy alone
    return "paid"


async def forgets_the_answer(case: fm.AsyncCheckCase) -> str:
    case.use()  # no await
    return "paid"


async def forgets_the_call(case: fm.AsyncCheckCase) -> str:
    if case.use:  # no call
        return "paid"
    return "refused"


async def converts(case: fm.AsyncCheckCase) -> str:
    return "paid" if bool(case.use()) else "refused"


async def asks_all(case: fm.AsyncCheckCase) -> str:
    return "paid" if all([case.use()]) else "refused"


async def asks_any(case: fm.AsyncVerificationCase) -> str:
    return "paid" if any([case.use(max_age_s=600)]) else "refused"


async def runs_in_sync(case: fm.AsyncCheckCase) -> str:
    def pay(session: object) -> object:
        return case.use(connection=session)

    return "paid" if pay("the session of AsyncSession.run_sync") else "refused"
