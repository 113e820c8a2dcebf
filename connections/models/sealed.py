"""The model field for secrets: sealed on the way in, opened lazily, bound to its table, column and row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.core.exceptions import FieldError
from django.db import connection as database
from django.db import models
from django.db.models.query_utils import DeferredAttribute

from connections.sealing import Context, Sealed, keyring

if TYPE_CHECKING:
    TextField = models.TextField[Any, Any]
else:
    TextField = models.TextField


class _Token(str):
    """A sealed text fresh from the database, told apart from a clear text that somebody assigns."""

    __slots__ = ()


class SealedAttribute(DeferredAttribute):
    """Turns what is assigned into a `Sealed`: a clear text, a text of the database, another `Sealed`, or nothing."""

    def __set__(self, instance: models.Model, value: object) -> None:
        instance.__dict__[self.field.attname] = self._sealed(instance, value)

    def _sealed(self, instance: models.Model, value: object) -> Sealed | None:
        if value is None or isinstance(value, Sealed):
            return value
        if isinstance(value, _Token):
            return Sealed.stored(str(value), lambda: context(instance, self.field)) if value else None
        if isinstance(value, str):
            return Sealed.of(value) if value else None
        raise TypeError("A sealed field takes a text, a Sealed or None.")


def context(instance: models.Model, field: models.Field[Any, Any]) -> Context:
    return Context(instance._meta.db_table, field.column, str(instance.pk))


class SealedField(TextField):
    """A secret of any length. Empty is NULL. In Python it is a `Sealed` or None.

    The row's primary key must be known before it is saved (a uuid default), since the secret is bound to it. It cannot be
    searched by, serialised or typed in a form. `update(...)` takes a `Sealed` that `seal` made for that row.
    """

    descriptor_class = SealedAttribute
    _pyi_private_set_type: Any
    _pyi_private_get_type: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["null"] = kwargs["blank"] = True
        kwargs["editable"] = False
        super().__init__(*args, **kwargs)

    def from_db_value(self, value: str | None, expression: object, connection: object) -> _Token | None:
        return None if value is None else _Token(value)

    def seal(self, instance: models.Model, text: str | Sealed | None) -> Sealed | None:
        """The secret, sealed for this row: what `update()` takes."""
        if not text:
            return None
        return (text if isinstance(text, Sealed) else Sealed.of(text)).seal_for(context(instance, self))

    def pre_save(self, model_instance: models.Model, add: bool) -> Sealed | None:
        value = getattr(model_instance, self.attname)
        if value is None:
            return None
        if value.token is None:
            value = value.seal_for(context(model_instance, self))
            model_instance.__dict__[self.attname] = value
        return value  # type: ignore[no-any-return]

    def get_prep_value(self, value: Any) -> Any:
        if value is None:
            return None
        if isinstance(value, Sealed) and value.token is not None:
            return value.token
        raise FieldError(f"{self.name} is sealed: save the row, or update with what seal() made.")

    def to_python(self, value: Any) -> Any:
        return value

    def get_lookup(self, lookup_name: str) -> Any:
        if lookup_name == "isnull":
            return super().get_lookup(lookup_name)
        raise FieldError(f"{self.name} is sealed: nothing can be searched in it.")

    def value_to_string(self, obj: models.Model) -> str:
        return str(self.value_from_object(obj) or "")

    def formfield(self, *args: Any, **kwargs: Any) -> None:
        return None


def sealed_columns() -> Iterator[tuple[type[models.Model], SealedField]]:
    """Every model and field that holds secrets."""
    for model in apps.get_app_config("connections").get_models():
        for field in model._meta.get_fields():
            if isinstance(field, SealedField):
                yield model, field


def key_ids() -> set[str]:
    """The ids of all keys that anything stored is sealed under."""
    found: set[str] = set()
    with database.cursor() as cursor:
        for model, field in sealed_columns():
            table, column = database.ops.quote_name(model._meta.db_table), database.ops.quote_name(field.column)
            cursor.execute(f"SELECT DISTINCT substr({column}, 3, 8) FROM {table} WHERE {column} IS NOT NULL")  # noqa: S608
            found |= {row[0] for row in cursor.fetchall()}
    return found


def reseal(instance: models.Model, field: SealedField) -> bool:
    """Seal one secret anew under the first key, unless somebody replaced it in the meantime. Raises SealError."""
    sealed = getattr(instance, field.attname)
    if sealed is None or keyring().is_current(sealed.token):
        return False
    anew = keyring().seal(sealed.reveal(), context(instance, field))  # from one key to another, in this process only
    table, column = database.ops.quote_name(instance._meta.db_table), database.ops.quote_name(field.column)
    key = instance._meta.pk
    pk = key.get_db_prep_value(instance.pk, database)
    with database.cursor() as cursor:
        update = f"UPDATE {table} SET {column} = %s WHERE {database.ops.quote_name(key.column)} = %s AND {column} = %s"  # noqa: S608
        cursor.execute(update, [anew, pk, sealed.token])
        return bool(cursor.rowcount)
