"""Small changes of a module's source, each of which its tests should notice."""

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

COMPARISONS = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
OPERATORS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
NAMES = {
    a: b
    for one in (
        ("min", "max"),
        ("amin", "amax"),
        ("minimum", "maximum"),
        ("floor", "ceil"),
        ("any", "all"),
        ("ones", "zeros"),
        ("ones_like", "zeros_like"),
    )
    for a, b in (one, one[::-1])
}

Fields = (ast.operator, ast.cmpop, ast.boolop, ast.unaryop, ast.expr_context)


@dataclass(frozen=True)
class Mutant:
    """A changed module: where, what stood there, what stands there now."""

    source: str
    line: int
    before: str
    after: str
    place: int
    """Which of the nodes that can be changed."""
    choice: int
    """Which of its changes."""

    def __str__(self) -> str:
        return f"line {self.line}: {self.before}  ->  {self.after}"

    def tree(self) -> ast.Module:
        """All of the changed module."""
        tree = ast.parse(self.source)
        node = list(_changeable(tree))[self.place]
        after = list(_changes(node, _modules_imported(tree)))[self.choice]
        return ast.fix_missing_locations(_Replace(node, after).visit(tree))


def mutants(source: str) -> list[Mutant]:
    """All changed modules, one change each, from the top to the bottom."""
    tree = ast.parse(source)
    modules = _modules_imported(tree)
    return [
        Mutant(
            source, node.lineno, ast.unparse(node), ast.unparse(after), place, choice
        )
        for place, node in enumerate(_changeable(tree))
        for choice, after in enumerate(_changes(node, modules))
        if ast.unparse(node) != ast.unparse(after)
    ]


def _modules_imported(tree: ast.Module) -> set[str]:
    """Names that stand for modules: what they hold are functions, not methods."""
    return {
        (alias.asname or alias.name).split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }


def _changeable(node: ast.AST) -> Iterator[ast.AST]:
    """Nodes that run; annotations, decorators, docstrings and texts are left alone."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or isinstance(child, Fields):
                continue
            if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
                continue
            if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
                continue
            if isinstance(child, ast.JoinedStr | ast.Import | ast.ImportFrom):
                continue
            yield child
            if not isinstance(child, ast.Raise):  # what it says is another matter
                yield from _changeable(child)


def _changes(node: ast.AST, modules: set[str]) -> Iterator[ast.AST]:
    """What may stand at a node's place instead."""
    match node:
        case ast.Compare():
            for at, op in enumerate(node.ops):
                yield _with(node, ops=_at(node.ops, at, COMPARISONS[type(op)]()))
        case ast.BinOp() | ast.AugAssign() if type(node.op) in OPERATORS:
            yield _with(node, op=OPERATORS[type(node.op)]())
        case ast.BoolOp():
            other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            yield _with(node, op=other)
        case ast.UnaryOp():
            yield node.operand
        case ast.Constant(value=bool()):
            yield ast.Constant(not node.value)
        case ast.Constant(value=int() | float()):
            yield ast.Constant(node.value + 1)
            yield ast.Constant(node.value - 1)
        case ast.Return(value=ast.expr()):
            yield ast.Return(ast.Constant(None))
        case ast.Raise() | ast.Expr(value=ast.Call()):
            yield ast.Pass()
        case ast.Break():
            yield ast.Continue()
        case ast.Continue():
            yield ast.Break()
        case ast.If() | ast.While() | ast.IfExp() if not isinstance(
            node.test, ast.Compare | ast.BoolOp | ast.UnaryOp
        ):
            yield _with(node, test=ast.UnaryOp(ast.Not(), node.test))
        case ast.Call(func=ast.Name(id=name)) if name in NAMES:
            yield _with(node, func=_with(node.func, id=NAMES[name]))
            yield from _without_call(node, modules)
        case ast.Call(func=ast.Attribute(attr=name)) if name in NAMES:
            yield _with(node, func=_with(node.func, attr=NAMES[name]))
            yield from _without_call(node, modules)
        case ast.Call():
            yield from _without_call(node, modules)


def _without_call(node: ast.Call, modules: set[str]) -> Iterator[ast.AST]:
    """What a method was called of, or the first argument of a function."""
    of_module = isinstance(node.func, ast.Attribute) and (
        ast.unparse(node.func).split(".")[0] in modules
    )
    if isinstance(node.func, ast.Attribute) and not of_module:
        yield node.func.value
    elif node.args and not isinstance(node.args[0], ast.Starred):
        yield node.args[0]


def _with(node: ast.AST, **changes: object) -> ast.AST:
    other = copy.copy(node)
    for name, value in changes.items():
        setattr(other, name, value)
    return other


def _at(values: list[ast.cmpop], at: int, value: ast.cmpop) -> list[ast.cmpop]:
    return [*values[:at], value, *values[at + 1 :]]


class _Replace(ast.NodeTransformer):
    """Put one node in another's place."""

    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        return self.new if node is self.old else self.generic_visit(node)
