"""Forms of this module."""

from datetime import date, datetime, time, timedelta

from django import forms
from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from mainzdigital.apps.account import queries
from mainzdigital.identity.models import Account
from mainzdigital.kernel.access import Scope

_SCOPE_TITLES = {Scope.READ: _("read"), Scope.WRITE: _("read and write"), Scope.MANAGE: _("manage")}


class DayInput(forms.DateInput):
    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


class MyDataForm(forms.Form):
    display_name = forms.CharField(
        label=_("Display name"), help_text=_("Shown to others instead of your user name."),
        max_length=150, required=False, widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )  # fmt: skip
    language = forms.ChoiceField(label=_("Language"), required=False)

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        choice = self.fields["language"]
        assert isinstance(choice, forms.ChoiceField)
        choice.choices = [("", gettext("as the browser asks")), *settings.LANGUAGES]


class KeyForm(forms.Form):
    name = forms.CharField(
        label=_("Name"), help_text=_("What is it for? For example: counter at the bridge."), max_length=100
    )
    scope = forms.ChoiceField(label=_("What it may do"), widget=forms.RadioSelect)
    expires = forms.DateField(
        label=_("Ends on"), help_text=_("Empty: it works until you revoke it."), required=False, widget=DayInput()
    )

    def __init__(self, *args: object, account: Account, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        choice = self.fields["scope"]
        assert isinstance(choice, forms.ChoiceField)
        choice.choices = [(scope.value, _SCOPE_TITLES[scope]) for scope in queries.scopes_for(account)]


class DelegationForm(forms.Form):
    role = forms.ChoiceField(label=_("Role"))
    borrower = forms.CharField(label=_("To whom?"), help_text=_("The user name of the other account."), max_length=150)
    starts = forms.DateField(label=_("From"), widget=DayInput())
    ends = forms.DateField(label=_("Until and including"), widget=DayInput())
    reason = forms.CharField(label=_("Why?"), help_text=_("For example: holidays."), max_length=300)

    def __init__(self, *args: object, account: Account, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        choice = self.fields["role"]
        assert isinstance(choice, forms.ChoiceField)
        choice.choices = [(role.name, gettext(role.title)) for role in queries.lendable_roles(account)]


class EraseForm(forms.Form):
    username = forms.CharField(label=_("Your user name, to confirm"), max_length=150)

    def __init__(self, *args: object, account: Account, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self._username = account.username

    def clean_username(self) -> str:
        given = str(self.cleaned_data["username"])
        if given.lower() != self._username:
            raise forms.ValidationError(_("That is not your user name. Nothing was erased."))
        return given


def day_start(day: date) -> datetime:
    """Midnight of a day in the city's time zone."""
    return datetime.combine(day, time(), tzinfo=timezone.get_default_timezone())


def day_end(day: date) -> datetime:
    return day_start(day + timedelta(days=1))
