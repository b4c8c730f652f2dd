"""Rewrites the filter tree before it becomes SQL, without changing what it means."""

from mainzdigital.kernel.expression import (
    And,
    AnyOf,
    Arithmetic,
    Call,
    Compare,
    Expression,
    In,
    Negate,
    Not,
    Or,
    Path,
)


def normal(expression: Expression, *, negated: bool = False) -> Expression:
    """Push `not` down to single conditions, flatten rows of `and` and `or`."""
    match expression:
        case Not(item):
            return normal(item, negated=not negated)
        case And(items) | Or(items):
            kind = Or if isinstance(expression, And) == negated else And
            flat: list[Expression] = []
            for item in items:
                inner = normal(item, negated=negated)
                flat.extend(inner.items if isinstance(inner, kind) else (inner,))
            return kind(tuple(flat))
        case _:
            return Not(expression) if negated else expression


def strip(expression: Expression) -> Expression:
    """Read the paths of an expression from their first step on."""
    match expression:
        case Path(steps):
            return Path(steps[1:])
        case And(items):
            return And(tuple(map(strip, items)))
        case Or(items):
            return Or(tuple(map(strip, items)))
        case Call(name, items):
            return Call(name, tuple(map(strip, items)))
        case Not(item):
            return Not(strip(item))
        case Negate(item):
            return Negate(strip(item))
        case In(item, candidates):
            return In(strip(item), tuple(map(strip, candidates)))
        case Compare(comparison, left, right):
            return Compare(comparison, strip(left), strip(right))
        case Arithmetic(operator, left, right):
            return Arithmetic(operator, strip(left), strip(right))
        case _:
            return expression


def holds_any(expression: Expression) -> bool:
    """Does a part of it ask for any of the related?"""
    match expression:
        case AnyOf():
            return True
        case And(items) | Or(items) | Call(_, items):
            return any(map(holds_any, items))
        case Not(item) | Negate(item):
            return holds_any(item)
        case In(item, candidates):
            return holds_any(item) or any(map(holds_any, candidates))
        case Compare(_, left, right) | Arithmetic(_, left, right):
            return holds_any(left) or holds_any(right)
        case _:
            return False
