"""The feedback form. Only the message is asked for; who wants an answer gives an address."""

from django import forms
from django.utils.translation import gettext_lazy as _


class FeedbackForm(forms.Form):
    message = forms.CharField(
        label=_("What did not work?"),
        help_text=_("Tell us what you wanted to do, what got in the way, and with which aid, such as a screen reader."),
        max_length=5000,
        widget=forms.Textarea(attrs={"rows": 6}),
    )
    page = forms.CharField(
        label=_("On which page?"), help_text=_("Its address or title."), max_length=300, required=False
    )
    name = forms.CharField(
        label=_("Your name"), max_length=150, required=False, widget=forms.TextInput(attrs={"autocomplete": "name"})
    )
    email = forms.EmailField(
        label=_("Your email address"),
        help_text=_("Only if you would like an answer."),
        required=False,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )


# A field that people never see and simple machines fill in; what has it filled is thanked and forgotten.
TRAP = "homepage"
