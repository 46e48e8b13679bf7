"""`python -m delphis.delfin` is `delphis-delfin`."""

from delphis.delfin.command import main

if __name__ == "__main__":
    main()
