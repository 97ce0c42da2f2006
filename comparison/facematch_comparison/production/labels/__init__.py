"""Labels: the file that a person fills in, several reviewers, and how wrong they may be.

The modules: `review` (the file of calls to label), `reviewers` (the labels of several files, and
how far they agree), `sensitivity` (what wrong labels would make of a difference), `desk` (the page
on which one person labels, with `sheet` and `pictures`).
"""
