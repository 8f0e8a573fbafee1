"""``python -m savedmodel_compat``: the command line."""

from savedmodel_compat.cli import main

if __name__ == "__main__":
    main()
