package pebble

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"testing"

	"google.golang.org/protobuf/proto"

	"delphis.dev/examples/go-driver/internal/host"
	typev1 "delphis.dev/go/delphis/type/v1"
)

func TestTLS(t *testing.T) {
	array := httptest.NewTLSServer(http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
		_, _ = out.Write([]byte(`{"token": "t"}`))
	}))
	defer array.Close()
	array.Config.ErrorLog = nil
	address, _ := url.Parse(array.URL)
	port, _ := strconv.Atoi(address.Port())
	raw := array.Certificate().Raw
	digest := sha256.Sum256(raw)
	authority := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}))
	pinned := func(pin string) *typev1.Tls {
		return &typev1.Tls{Mode: typev1.TlsMode_TLS_MODE_PINNED.Enum(), PinnedCertificateSha256: proto.String(pin)}
	}
	for name, try := range map[string]struct {
		tls    *typev1.Tls
		reason typev1.Reason
	}{
		"unknown authority": {nil, typev1.Reason_REASON_SSL_CERTIFICATE_FAILED},
		"its authority":     {&typev1.Tls{CaCertificates: &authority}, 0},
		"another name": {
			&typev1.Tls{CaCertificates: &authority, ServerName: proto.String("other.test")}, typev1.Reason_REASON_SSL_CERTIFICATE_FAILED,
		},
		"pinned":         {pinned(hex.EncodeToString(digest[:])), 0},
		"another pinned": {pinned(hex.EncodeToString(make([]byte, 32))), typev1.Reason_REASON_SSL_CERTIFICATE_FAILED},
		"no pin":         {pinned("abc"), typev1.Reason_REASON_ACCESS_INFO_INCOMPLETE},
		"off":            {&typev1.Tls{Mode: typev1.TlsMode_TLS_MODE_OFF.Enum()}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			rest := &typev1.RestAccess{Host: proto.String(address.Hostname()), Port: proto.Int32(int32(port)), Tls: try.tls}
			found, err := Driver{}.Open(context.Background(), &typev1.AccessInfo{Rest: rest})
			var problem *host.Error
			if try.reason == 0 && err != nil || try.reason != 0 && !(errors.As(err, &problem) && problem.Reason == try.reason) {
				t.Errorf("%v, not %v", err, try.reason)
			}
			if found != nil {
				_ = found.Close(context.Background())
			}
		})
	}
}

func TestPagesInACircle(t *testing.T) {
	array := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
		_, _ = out.Write([]byte(`{"token": "t", "items": [{"id": "v1"}], "next": 0}`))
	}))
	defer array.Close()
	address, _ := url.Parse(array.URL)
	port, _ := strconv.Atoi(address.Port())
	client, err := newClient(&typev1.RestAccess{
		Host: proto.String(address.Hostname()), Port: proto.Int32(int32(port)), Tls: &typev1.Tls{Plaintext: proto.Bool(true)},
	})
	if err != nil {
		t.Fatal(err)
	}
	var problem *host.Error
	err = each(context.Background(), client, "volumes", func(*volume) error { return nil })
	if !errors.As(err, &problem) || problem.Reason != typev1.Reason_REASON_BAD_RESPONSE {
		t.Error(err)
	}
}
