"""Stores of root certificates: the platform's own as a setting, and where a bundle is, for other programs.

This client needs neither by itself: it has the system's store by `verify=True`, wherever that is (law S1).
"""

from __future__ import annotations

import os
import ssl
import sys
from typing import Final

from .transport.route import Store

# For `verify=`: whom to trust is for the platform's own verifier to say, by what its users and administrators
# have set there: the Security framework on macOS, CryptoAPI on Windows, elsewhere OpenSSL with the system's
# store. It takes the extra `truststore`; without it the first https connection is an SSLError that says so.
PLATFORM: Final = Store(platform=True)


def where() -> str:
    """The path of a bundle of root certificates: certifi's where it is installed, else the system's.

    The system's is the file that OpenSSL reads by default, or the one that SSL_CERT_FILE names.

    Raises:
        FileNotFoundError: there is neither. A system may have a folder of single certificates instead.
    """
    try:
        import certifi  # an optional extra
    except ImportError:
        return _bundle_of_the_system()
    return certifi.where()


def _bundle_of_the_system() -> str:
    paths = ssl.get_default_verify_paths()
    # The first is None where SSL_CERT_FILE names what is no file; OpenSSL's own may be there nevertheless.
    for path in (paths.cafile, paths.openssl_cafile):
        if path is not None and os.path.isfile(path):
            return path
    raise FileNotFoundError(
        f"there is no bundle of root certificates: certifi is not installed, and the system has no "
        f"{paths.openssl_cafile}. Install pystickyhttp[certifi], or name a file by {paths.openssl_cafile_env}"
    )


if __name__ == "__main__":
    sys.stdout.write(f"{where()}\n")
