"""Parses OData expressions ($filter, $orderby) to the filter tree and checks what may be compared with what."""

from dataclasses import dataclass

from mainzdigital.kernel.entities import EntityType
from mainzdigital.kernel.errors import InvalidInput
from mainzdigital.kernel.expression import (
    And,
    Arithmetic,
    Call,
    Compare,
    Comparison,
    Expression,
    Geometry,
    In,
    Literal,
    Negate,
    Not,
    Operator,
    Or,
    Path,
)
from mainzdigital.query.geometry import check_pattern, parse_wkt
from mainzdigital.query.lexer import Sign, Token, refuse, tokens
from mainzdigital.query.limits import STANDARD, QueryLimits
from mainzdigital.query.types import (
    FUNCTIONS,
    Kind,
    arithmetic_kind,
    comparable,
    fits,
    kind_of,
    resolve,
)

MAX_KEYS = 20  # of $orderby

_COMPARISONS = {item.value: item for item in Comparison}
_OPERATORS = {item.value: item for item in Operator}
# OData 4.01 part 2, 5.1.1.17: how tightly an operator binds.
_STRENGTH = {"or": 1, "and": 2, "eq": 3, "ne": 3, "gt": 4, "ge": 4, "lt": 4, "le": 4, "in": 4,
             "add": 5, "sub": 5, "mul": 6, "div": 6, "mod": 6}  # fmt: skip
_WORDS = frozenset({*_STRENGTH, "not", "null", "true", "false"})


@dataclass(slots=True)
class _Part:
    tree: Expression
    kind: Kind
    place: int
    depth: int


class ExpressionParser:
    """Precedence climbing over the tokens of one option."""

    def __init__(self, text: str, entity: EntityType, *, option: str, limits: QueryLimits = STANDARD) -> None:
        self.option = option
        self.limits = limits
        self.entity = entity
        self.tokens = tokens(text, option=option)
        self.index = 0
        self.open = 0
        self.nodes = 0

    def look(self) -> Token:
        return self.tokens[self.index]

    def take(self) -> Token:
        token = self.tokens[self.index]
        self.index += 1
        return token

    def word(self) -> str:
        token = self.look()
        return token.text if token.sign is Sign.WORD else ""

    def refuse(self, place: int, message: str, remedy: str = "") -> InvalidInput:
        return refuse(self.option, place, message, remedy)

    def expect(self, sign: Sign) -> Token:
        token = self.take()
        if token.sign is not sign:
            self.index -= 1
            raise self.refuse(token.place, f"'{sign.value}' is expected here, not {self.shown(token)}")
        return token

    @staticmethod
    def shown(token: Token) -> str:
        return "the end" if token.sign is Sign.END else f"'{token.text[:40]}'"

    def part(self, tree: Expression, kind: Kind, place: int, *below: _Part) -> _Part:
        self.nodes += 1
        depth = 1 + max((item.depth for item in below), default=0)
        if self.nodes > self.limits.filter_parts:
            raise self.refuse(
                place, f"more than {self.limits.filter_parts} parts (limit MAINZDIGITAL_FILTER_PARTS)",
                "split the request",
            )  # fmt: skip
        if depth > self.limits.filter_depth:
            raise self.too_deep(place)
        return _Part(tree, kind, place, depth)

    def enter(self, place: int) -> None:
        self.open += 1
        if self.open > self.limits.filter_depth:
            raise self.too_deep(place)

    def too_deep(self, place: int) -> InvalidInput:
        return self.refuse(
            place, f"nested deeper than {self.limits.filter_depth} levels (limit MAINZDIGITAL_FILTER_DEPTH)",
            "write it flatter",
        )  # fmt: skip

    def boolean(self, part: _Part, role: str) -> _Part:
        if not fits(part.kind, Kind.BOOLEAN):
            raise self.refuse(
                part.place,
                f"{role} needs something true or false, this is {part.kind.value}",
                "compare it, for example with eq; after 'not' use parentheses",
            )
        return part

    def expression(self, strength: int = 1) -> _Part:
        left = self.unary()
        while (operator := self.word()) in _STRENGTH and _STRENGTH[operator] >= strength:
            token = self.take()
            if operator == "in":
                left = self.membership(left, token)
            elif operator in ("and", "or"):
                left = self.logic(left, operator)
            else:
                left = self.binary(left, self.expression(_STRENGTH[operator] + 1), token)
        return left

    def logic(self, first: _Part, operator: str) -> _Part:
        """A row of `and` or `or` becomes one node, so that long rows are not deep."""
        parts = [self.boolean(first, f"'{operator}'")]
        parts.append(self.boolean(self.expression(_STRENGTH[operator] + 1), f"'{operator}'"))
        while self.word() == operator:
            self.take()
            parts.append(self.boolean(self.expression(_STRENGTH[operator] + 1), f"'{operator}'"))
        items = tuple(item.tree for item in parts)
        return self.part(And(items) if operator == "and" else Or(items), Kind.BOOLEAN, first.place, *parts)

    def binary(self, left: _Part, right: _Part, token: Token) -> _Part:
        if (comparison := _COMPARISONS.get(token.text)) is not None:
            nulls = Kind.NULL in (left.kind, right.kind)
            equality = comparison in (Comparison.EQ, Comparison.NE)
            if (nulls and not equality) or not comparable(left.kind, right.kind):
                remedy = {
                    Kind.TIME: "write times like 2026-11-22T10:00:00Z, without quotes",
                    Kind.TEXT: "write texts in single quotes",
                }.get(left.kind if left.kind != Kind.JSON else right.kind, "compare values of one type")
                raise self.refuse(
                    token.place, f"'{token.text}' cannot compare {left.kind.value} with {right.kind.value}", remedy
                )
            return self.part(Compare(comparison, left.tree, right.tree), Kind.BOOLEAN, left.place, left, right)
        operator = _OPERATORS[token.text]
        kind = arithmetic_kind(operator.value, left.kind, right.kind)
        if kind is None:
            raise self.refuse(token.place, f"'{token.text}' cannot combine {left.kind.value} with {right.kind.value}")
        return self.part(Arithmetic(operator, left.tree, right.tree), kind, left.place, left, right)

    def membership(self, item: _Part, token: Token) -> _Part:
        self.expect(Sign.OPEN)
        self.enter(token.place)
        values = [self.expression()]
        while self.look().sign is Sign.COMMA:
            self.take()
            values.append(self.expression())
        self.expect(Sign.CLOSE)
        self.open -= 1
        for value in values:
            if not comparable(item.kind, value.kind):
                raise self.refuse(value.place, f"'in' cannot compare {item.kind.value} with {value.kind.value}")
        tree = In(item.tree, tuple(value.tree for value in values))
        return self.part(tree, Kind.BOOLEAN, item.place, item, *values)

    def unary(self) -> _Part:
        token = self.look()
        if token.sign is Sign.MINUS:
            self.take()
            self.enter(token.place)
            item = self.unary()
            self.open -= 1
            if isinstance(item.tree, Literal) and isinstance(item.tree.value, int | float) and item.kind == Kind.NUMBER:
                return self.part(Literal(-item.tree.value), Kind.NUMBER, token.place)
            if not fits(item.kind, Kind.NUMBER) and item.kind != Kind.DURATION:
                raise self.refuse(item.place, f"'-' needs a number, this is {item.kind.value}")
            kind = item.kind if item.kind == Kind.DURATION else Kind.NUMBER
            return self.part(Negate(item.tree), kind, token.place, item)
        if self.word() == "not":
            self.take()
            self.enter(token.place)
            item = self.boolean(self.unary(), "'not'")
            self.open -= 1
            return self.part(Not(item.tree), Kind.BOOLEAN, token.place, item)
        return self.primary()

    def primary(self) -> _Part:
        token = self.take()
        if token.sign is Sign.VALUE:
            return self.part(Literal(token.value), kind_of(token.value), token.place)
        if token.sign is Sign.OPEN:
            self.enter(token.place)
            item = self.expression()
            self.expect(Sign.CLOSE)
            self.open -= 1
            return item
        if token.sign is not Sign.WORD:
            raise self.refuse(
                token.place, f"a value, a property or a function is expected here, not {self.shown(token)}"
            )
        if self.look().sign is Sign.OPEN and token.text not in _WORDS:
            return self.call(token)
        if token.text in ("true", "false"):
            return self.part(Literal(token.text == "true"), Kind.BOOLEAN, token.place)
        if token.text == "null":
            return self.part(Literal(None), Kind.NULL, token.place)
        if token.text in _WORDS:
            raise self.refuse(token.place, f"'{token.text}' is not expected here")
        return self.path(token)

    def path(self, token: Token) -> _Part:
        steps = tuple("id" if step == "@iot.id" else step for step in token.text.split("/"))
        if len(steps) > self.limits.filter_depth:
            raise self.too_deep(token.place)
        try:
            target = resolve(self.entity, steps)
        except InvalidInput as error:
            raise self.refuse(token.place, error.message, error.remedy) from None
        return self.part(Path(steps), target.kind, token.place)

    def call(self, name: Token) -> _Part:
        function = FUNCTIONS.get(name.text)
        if function is None:
            raise self.refuse(
                name.place, f"there is no function '{name.text[:40]}'", f"use one of {', '.join(sorted(FUNCTIONS))}"
            )
        self.expect(Sign.OPEN)
        self.enter(name.place)
        arguments: list[_Part] = []
        while self.look().sign is not Sign.CLOSE or arguments:
            arguments.append(self.expression())
            if self.look().sign is not Sign.COMMA:
                break
            self.take()
        self.expect(Sign.CLOSE)
        self.open -= 1
        if not len(function.takes) - function.optional <= len(arguments) <= len(function.takes):
            raise self.refuse(name.place, f"'{name.text}' takes {len(function.takes)} arguments, not {len(arguments)}")
        for wanted, argument in zip(function.takes, arguments, strict=False):
            if wanted is Kind.GEOMETRY:
                self.geometry(argument)
            if not fits(argument.kind, wanted):
                raise self.refuse(
                    argument.place, f"'{name.text}' needs {wanted.value} here, this is {argument.kind.value}"
                )
        if name.text == "st_relate":
            self.pattern(arguments[2])
        tree = Call(name.text, tuple(item.tree for item in arguments))
        return self.part(tree, function.yields, name.place, *arguments)

    def geometry(self, argument: _Part) -> None:
        """A literal is read at once, so that its mistakes have a place."""
        if isinstance(argument.tree, Literal) and isinstance(argument.tree.value, Geometry):
            parse_wkt(argument.tree.value.wkt, f"{self.option}, character {argument.place + 1}")

    def pattern(self, argument: _Part) -> None:
        if not isinstance(argument.tree, Literal) or not isinstance(argument.tree.value, str):
            raise self.refuse(argument.place, "the pattern of 'st_relate' is a text in quotes", "write 'T*F**F***'")
        check_pattern(argument.tree.value, f"{self.option}, character {argument.place + 1}")


def parse_filter(
    text: str, entity: EntityType, *, option: str = "$filter", limits: QueryLimits = STANDARD
) -> Expression:
    """The tree of a filter; raises InvalidInput that names option, place and remedy."""
    parser = ExpressionParser(text, entity, option=option, limits=limits)
    part = parser.boolean(parser.expression(), option)
    parser.expect(Sign.END)
    return part.tree


def parse_orderings(
    text: str, entity: EntityType, *, option: str = "$orderby", limits: QueryLimits = STANDARD
) -> list[tuple[Expression, bool]]:
    """Expressions of `$orderby` with True for descending; raises InvalidInput."""
    parser = ExpressionParser(text, entity, option=option, limits=limits)
    found: list[tuple[Expression, bool]] = []
    while True:
        part = parser.expression()
        if part.kind in (Kind.GEOMETRY, Kind.NULL):
            raise parser.refuse(part.place, f"nothing can be ordered by {part.kind.value}")
        descending = parser.word() == "desc"
        if parser.word() in ("asc", "desc"):
            parser.take()
        found.append((part.tree, descending))
        if len(found) > MAX_KEYS:
            raise parser.refuse(part.place, f"more than {MAX_KEYS} keys")
        if parser.look().sign is not Sign.COMMA:
            break
        parser.take()
    parser.expect(Sign.END)
    return found
