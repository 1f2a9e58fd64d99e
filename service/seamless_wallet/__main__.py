"""``python -m seamless_wallet`` is the command ``wallet``."""

from seamless_wallet.cli import main

if __name__ == "__main__":
    main()
