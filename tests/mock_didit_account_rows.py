"""Rows of the contract about credit and accounts, as `mock_didit_rows` has them."""

ROWS = (
    # Billing
    ("7", "", "what is left", "billing.balance billing.keys billing.places"),
    ("7", "", "refill", "billing.keys billing.refill_places"),
    ("7", "", "a payment page", "billing.top_up billing.top_up_keys billing.prefix billing.page"),
    ("7", "", "where a person is sent", "billing.home billing.bad_url"),
    (
        "7",
        "",
        "the balance changes when the payment settles",
        "billing.at_once payment.*",
    ),
    ("7", "", "no amount", "billing.required"),
    ("7", "", "no number", "billing.number billing.amount_as_text"),
    ("7", "", "too little", "billing.lowest billing.least"),
    ("7", "", "too much, ours", "billing.highest billing.most"),
    ("7", "", "an annual plan", "billing.annual"),
    ("7", "", "too often", "rate.management.limit rate.management.refused"),
    ("7", "", "debits", "credit.price.match credit.last_cent credit.refused"),
    # Accounts
    ("8", "register", "201", "register.answer register.message"),
    (
        "8",
        "verify-email",
        "200",
        "verify.answer verify.*keys account.* token.lifetime_s",
    ),
    ("8", "login", "200", "login.answer login.keys token.lifetime_s"),
    ("8", "resend-otp", "2xx, 60 s", "resend.*"),
    ("8", "", "passwords", "password.*"),
    ("8", "", "codes", "code.* verify.wrong verify.expired"),
    ("8", "", "five an hour", "rate.register.*"),
    (
        "8",
        "",
        "reserved domains",
        "register.reserved.* register.reserved_besides.* register.broken register.broken_page",
    ),
    ("8", "", "lockout", "login.lockouts login.locked login.forgets"),
    ("8", "", "bad email", "register.bad_email register.taken"),
    ("8", "", "bad login", "login.wrong login.words login.unverified"),
    ("8", "", "bad bearer", "bearer.wrong bearer.words"),
    ("2", "", "row 20, answers ours", "organizations.* application.*"),
)
