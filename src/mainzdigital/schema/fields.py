"""Column types PostgreSQL has and Django does not know."""

from typing import TYPE_CHECKING

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

if TYPE_CHECKING:
    _Field = models.Field[str | None, str | None]
else:
    _Field = models.Field  # not subscriptable at run time


class BoxField(_Field):
    """PostgreSQL's `box`: the bounding box of a geometry, x east and y north in degrees (EPSG:4326); GiST-indexable."""

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        return "box"
