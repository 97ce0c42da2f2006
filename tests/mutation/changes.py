"""Small faults: what each piece of a program is changed to, one change for each mutant.

Left out, because no test could tell or because the page of documents would: texts (string
literals and f-strings), annotations, decorators, docstrings and imports.
"""

import ast
import enum

#: The boundary moved by one, and the opposite.
COMPARED = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
COUNTED = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
JOINED = {ast.And: ast.Or, ast.Or: ast.And}
NAMES = {"any": "all", "all": "any", "min": "max", "max": "min"}

#: Where a value stands that may be forgotten, so that None is there instead.
FORGOTTEN = {(ast.Call, "args"), (ast.keyword, "value"), (ast.Dict, "values")}
FORGOTTEN |= {(ast.Assign, "value"), (ast.AnnAssign, "value"), (ast.Return, "value")}
#: Where something may be missing from a list.
MISSING = {(ast.Call, "keywords"), (ast.BoolOp, "values")}
MISSING |= {(kind, "elts") for kind in (ast.Tuple, ast.List, ast.Set)}
ASKED = {(kind, "test") for kind in (ast.If, ast.IfExp, ast.While)} | {(ast.comprehension, "ifs")}
REPEATED = {(ast.For, "iter"), (ast.comprehension, "iter")}

#: The kinds of change.
KINDS = ("condition", "exchanged", "None instead", "left out")

#: Instead of a node that is taken out of a list.
GONE = object()


def changes(node, parent, field, names):
    """What may stand instead of a node: pairs of a kind and a node, or `GONE`.

    Args:
        node: A piece of the program.
        parent: What it is a piece of.
        field: Where in `parent`.
        names: What names of the module mean, to find enums.
    """
    place = type(parent), field
    if place in ASKED:
        yield from (("condition", ast.Constant(True)), ("condition", ast.Constant(False)))
    if place in REPEATED:
        yield "left out", ast.Tuple([], ast.Load())
    if place in FORGOTTEN and not _text_or_none(node):
        yield "None instead", ast.Constant(None)
    if place in MISSING and not isinstance(getattr(node, "ctx", None), ast.Store):
        yield "left out", GONE
    if isinstance(node, ast.Expr | ast.AugAssign | ast.Raise):
        yield "left out", ast.Pass()
    if type(node) in BY_KIND:
        yield from BY_KIND[type(node)](node)
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        yield from _of_enum(node, names.get(node.value.id))


def _text_or_none(node):
    if isinstance(node, ast.Starred | ast.JoinedStr):
        return True
    return isinstance(node, ast.Constant) and isinstance(node.value, str | None)


def _comparison(node):
    for at, op in enumerate(node.ops):
        for other in COMPARED[type(op)]:
            ops = [*node.ops[:at], other(), *node.ops[at + 1 :]]
            yield "condition", ast.Compare(node.left, ops, node.comparators)


def _joined(node):
    yield "condition", ast.BoolOp(JOINED[type(node.op)](), node.values)


def _signed(node):
    if isinstance(node.op, ast.Not | ast.USub):
        yield "condition", node.operand


def _counted(node):
    if type(node.op) in COUNTED:
        yield "exchanged", ast.BinOp(node.left, COUNTED[type(node.op)](), node.right)


def _constant(node):
    if isinstance(node.value, bool):
        yield "exchanged", ast.Constant(not node.value)
    elif isinstance(node.value, int | float):
        yield from (("exchanged", ast.Constant(node.value + step)) for step in (1, -1))


def _name(node):
    if node.id in NAMES:
        yield "condition", ast.Name(NAMES[node.id], ast.Load())


def _call(node):
    for at in range(len(node.args) - 1):
        first, second = node.args[at : at + 2]
        if not _text_or_none(first) and not _text_or_none(second):
            swapped = [*node.args[:at], second, first, *node.args[at + 2 :]]
            yield "exchanged", ast.Call(node.func, swapped, node.keywords)


#: By the kind of node.
BY_KIND = {
    ast.Compare: _comparison,
    ast.BoolOp: _joined,
    ast.UnaryOp: _signed,
    ast.BinOp: _counted,
    ast.Constant: _constant,
    ast.Name: _name,
    ast.Call: _call,
}


def _of_enum(node, found):
    members = [*found.__members__] if isinstance(found, enum.EnumMeta) else []
    if node.attr in members:
        other = members[(members.index(node.attr) + 1) % len(members)]
        yield "exchanged", ast.Attribute(node.value, other, ast.Load())
