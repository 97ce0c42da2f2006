"""Vendors that behave otherwise than their mock: what is changed, and the claim that must fail."""

#: Pictures of the command, and the ready cards that they are.
CARDS = {"anna-one.png": "p1", "anna-two.png": "p1-again", "berta.png": "p2"}
WORKFLOW = "11111111-2222-4333-8444-555555555555"
PICTURES = ("--same", "anna-one.png", "anna-two.png", "--other", "berta.png")


def divert(vendor, answer):
    """Let `answer(request, carry_out)` answer in place of the vendor."""
    app = vendor.server.app
    carry_out = vendor.server.app.handle
    app.handle = lambda request: answer(request, carry_out)


def change(vendor, values, alter):
    table = vendor.claims._table  # noqa: SLF001 - nobody but a test changes claims of a mock that runs
    for key, value in values.items():
        table[key] = (value, table[key][1])
    if alter is not None:
        divert(vendor, lambda request, carry_out: alter(request, carry_out(request)))
