"""How an array proves who it is: every mode, and every way in which it fails."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from delphis.sdk import Context, RestAccess, Tls, TlsMode, errors
from delphis.sdk.http import RestSession
from tests.sdk_http.certificates import Certificate, server_certificate
from tests.sdk_http.server import Asked, Says, ScriptedServer, closed_port, listening

Serve = Callable[..., ScriptedServer]
Make = Callable[[RestAccess], RestSession]


def ok(_: Asked) -> Says:
    return Says({"fine": True})


def test_verify_is_the_default(serve: Serve, session: Make, certificate: Certificate, context: Context) -> None:
    server = serve(ok, certificate)
    with pytest.raises(errors.SSLCertificateFailed) as raised:
        session(server.access(tls=Tls())).get(context, "/")
    assert "ca_certificates" in raised.value.message
    assert raised.value.metadata["port"] == str(server.port)
    assert server.asked == []


def test_verify_with_the_arrays_authority(
    serve: Serve, session: Make, certificate: Certificate, trusted: Certificate, context: Context
) -> None:
    server = serve(ok, certificate)
    tls = Tls(mode=TlsMode.TLS_MODE_VERIFY, ca_certificates=trusted.pem)
    assert session(server.access(tls=tls)).get(context, "/").json() == {"fine": True}


def test_verify_checks_the_name(
    serve: Serve, session: Make, trusted: Certificate, folder: Path, context: Context
) -> None:
    server = serve(ok, server_certificate(folder, signer=trusted, names=("array.example",)))
    with pytest.raises(errors.SSLCertificateFailed, match=r"127\.0\.0\.1"):
        session(server.access(tls=Tls(ca_certificates=trusted.pem))).get(context, "/")
    named = Tls(ca_certificates=trusted.pem, server_name="array.example")
    assert session(server.access(tls=named)).get(context, "/").ok
    wrong = Tls(ca_certificates=trusted.pem, server_name="other.example")
    with pytest.raises(errors.SSLCertificateFailed):
        session(server.access(tls=wrong)).get(context, "/")


def test_verify_checks_the_date(
    serve: Serve, session: Make, trusted: Certificate, folder: Path, context: Context
) -> None:
    server = serve(ok, server_certificate(folder, signer=trusted, expires_in=timedelta(hours=-1)))
    with pytest.raises(errors.SSLCertificateFailed, match="expired"):
        session(server.access(tls=Tls(ca_certificates=trusted.pem))).get(context, "/")


@pytest.mark.parametrize("mode", [TlsMode.TLS_MODE_PINNED, TlsMode.TLS_MODE_UNSPECIFIED])
@pytest.mark.parametrize("colons", [False, True])
def test_a_pin_needs_no_authority_and_no_name(
    serve: Serve, session: Make, folder: Path, context: Context, mode: TlsMode.ValueType, colons: bool
) -> None:
    own = server_certificate(folder, names=("array.example",))
    pin = ":".join(own.sha256[i : i + 2].upper() for i in range(0, 64, 2)) if colons else own.sha256
    server = serve(ok, own)
    assert session(server.access(tls=Tls(mode=mode, pinned_certificate_sha256=pin))).get(context, "/").ok


def test_another_certificate_than_the_pinned_one(
    serve: Serve, session: Make, certificate: Certificate, folder: Path, context: Context
) -> None:
    server = serve(ok, certificate)
    other = server_certificate(folder)
    tls = Tls(mode=TlsMode.TLS_MODE_PINNED, pinned_certificate_sha256=other.sha256)
    with pytest.raises(errors.SSLCertificateFailed) as raised:
        session(server.access(tls=tls)).get(context, "/")
    assert raised.value.metadata["found"] == certificate.sha256
    assert server.asked == [], "nothing is sent to a stranger"


def test_off_takes_any(serve: Serve, session: Make, folder: Path, context: Context) -> None:
    server = serve(ok, server_certificate(folder, names=("array.example",), expires_in=timedelta(hours=-1)))
    assert session(server.access(tls=Tls(mode=TlsMode.TLS_MODE_OFF))).get(context, "/").ok


@pytest.mark.parametrize(
    ("tls", "field"),
    [
        (Tls(mode=TlsMode.TLS_MODE_PINNED), "rest.tls.pinned_certificate_sha256"),
        (Tls(pinned_certificate_sha256="abcd"), "rest.tls.pinned_certificate_sha256"),
        (Tls(mode=TlsMode.TLS_MODE_UNKNOWN), "rest.tls.mode"),
        (Tls(ca_certificates="no PEM"), "rest.tls.ca_certificates"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(tls: Tls, field: str) -> None:
    with pytest.raises(errors.AccessInfoIncomplete) as raised:
        RestSession(RestAccess(host="127.0.0.1", port=443, tls=tls))
    assert raised.value.metadata["field"] == field


def test_a_server_without_tls(serve: Serve, session: Make, context: Context) -> None:
    server = serve(ok)
    with pytest.raises(errors.SSLHandshakeFailed, match="no TLS"):
        session(server.access(tls=Tls())).get(context, "/")


def test_a_server_with_tls_where_none_is_expected(
    serve: Serve, session: Make, certificate: Certificate, context: Context
) -> None:
    server = serve(ok, certificate)
    with pytest.raises((errors.InvalidIpOrPort, errors.BadResponse)):
        session(server.access(tls=Tls(plaintext=True))).get(context, "/")


def test_a_handshake_that_never_comes(session: Make) -> None:
    with listening() as listener:
        access = RestAccess(host="127.0.0.1", port=listener.getsockname()[1])
        access.connect_timeout.FromMilliseconds(200)
        with pytest.raises((errors.ConnectTimeout, errors.ArrayTimeout)):
            session(access).get(Context(timeout=60), "/")


def test_nothing_listens(session: Make, context: Context) -> None:
    with pytest.raises(errors.InvalidIpOrPort, match="refused"):
        session(RestAccess(host="127.0.0.1", port=closed_port())).get(context, "/")
