"""The command `mainzdigital`."""


def main() -> None:
    from mainzdigital.config.commands import cli

    cli()


if __name__ == "__main__":
    main()
