"""`python3 -m xdpredirect`: the same as the command `xdpredirect`."""

from xdpredirect.cli.main import main

if __name__ == "__main__":
    main()
