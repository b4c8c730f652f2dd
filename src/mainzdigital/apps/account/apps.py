from django.apps import AppConfig


class AccountPagesConfig(AppConfig):
    name = "mainzdigital.apps.account"
    label = "account_pages"  # allauth's app is already called `account`
