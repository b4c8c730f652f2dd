"""Errors that name what is wrong, where, and what to do. The edges render them in the format of their standard."""


class CityError(Exception):
    """An expected refusal.

    `status` is the HTTP status the edges answer with, `where` names the field, option or place in the input,
    `remedy` says what to do, `retry_after` (seconds) is set where trying again helps.
    """

    status = 400

    def __init__(self, message: str, *, where: str = "", remedy: str = "", retry_after: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.remedy = remedy
        self.retry_after = retry_after


class InvalidInput(CityError):
    """The input does not have the form that the standard asks for."""

    status = 400


class NotSignedIn(CityError):
    status = 401


class Forbidden(CityError):
    status = 403


class NotFound(CityError):
    status = 404


class MethodNotAllowed(CityError):
    status = 405

    def __init__(self, message: str, *, allow: tuple[str, ...], where: str = "", remedy: str = "") -> None:
        super().__init__(message, where=where, remedy=remedy)
        self.allow = allow


class NotAcceptable(CityError):
    status = 406


class Conflict(CityError):
    status = 409


class PreconditionFailed(CityError):
    status = 412


class TooLarge(CityError):
    status = 413


class UrlTooLong(CityError):
    status = 414


class UnsupportedMediaType(CityError):
    status = 415


class Unprocessable(CityError):
    """Well-formed input that contradicts itself or the stored data."""

    status = 422


class TooManyRequests(CityError):
    status = 429


class Unavailable(CityError):
    """Overloaded or starting: nothing was taken, try again after `retry_after` seconds."""

    status = 503
