"""Make the certificates of a deployment: `python deploy/certificates.py --core DIR --driver NAME=DIR ...`.

`delphis-driver certs` makes those for development.
"""

from __future__ import annotations

import sys

from delphis.sdk.certificates import deployment

if __name__ == "__main__":
    sys.exit(deployment(sys.argv[1:]))
