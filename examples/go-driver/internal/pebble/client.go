// Package pebble is the driver of the Pebble, a small array with an HTTP API; see examples/array.
package pebble

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"delphis.dev/examples/go-driver/internal/host"
	typev1 "delphis.dev/go/delphis/type/v1"
)

const (
	connectTimeout = 10 * time.Second
	readTimeout    = 60 * time.Second
	pageSize       = 250
	mostAnswer     = 16 << 20
	defaultRetry   = time.Second
)

// client speaks the array's API: it logs in, and again when the array has forgotten the session.
type client struct {
	base               string
	username, password string
	http               *http.Client
	readTimeout        time.Duration
	pace               *pace

	login chan struct{} // holds one: a login at a time
	lock  sync.Mutex
	token string
}

func newClient(rest *typev1.RestAccess) (*client, error) {
	connect, read := connectTimeout, readTimeout
	if rest.ConnectTimeout != nil {
		connect = rest.ConnectTimeout.AsDuration()
	}
	if rest.ReadTimeout != nil {
		read = rest.ReadTimeout.AsDuration()
	}
	scheme := "https"
	if rest.Tls.GetPlaintext() {
		scheme = "http"
	}
	config, err := tlsConfig(rest)
	if err != nil {
		return nil, err
	}
	return &client{
		base:     scheme + "://" + net.JoinHostPort(strings.Trim(rest.GetHost(), "[]"), strconv.Itoa(int(rest.GetPort()))),
		username: rest.GetUsername(), password: rest.GetPassword(), readTimeout: read,
		pace: newPace(rest.GetMaxRequestsPerSecond()), login: make(chan struct{}, 1),
		http: &http.Client{
			Transport: &http.Transport{
				Proxy:               nil, // an array is no web site
				DialContext:         (&net.Dialer{Timeout: connect}).DialContext,
				TLSClientConfig:     config,
				TLSHandshakeTimeout: connect,
				MaxIdleConnsPerHost: 4,
				IdleConnTimeout:     time.Minute,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

func tlsConfig(rest *typev1.RestAccess) (*tls.Config, error) {
	wanted := rest.GetTls()
	config := &tls.Config{ServerName: wanted.GetServerName(), MinVersion: tls.VersionTLS12}
	if config.ServerName == "" {
		config.ServerName = rest.GetHost()
	}
	switch wanted.GetMode() {
	case typev1.TlsMode_TLS_MODE_OFF:
		config.InsecureSkipVerify = true
	case typev1.TlsMode_TLS_MODE_PINNED:
		pin, err := hex.DecodeString(strings.ReplaceAll(wanted.GetPinnedCertificateSha256(), ":", ""))
		if err != nil || len(pin) != sha256.Size {
			return nil, host.Problem(typev1.Reason_REASON_ACCESS_INFO_INCOMPLETE,
				"rest.tls.pinned_certificate_sha256 must be 64 hexadecimal digits.")
		}
		config.InsecureSkipVerify = true // chain and name are not looked at; the certificate itself is
		config.VerifyPeerCertificate = func(raw [][]byte, _ [][]*x509.Certificate) error {
			if len(raw) > 0 && sha256.Sum256(raw[0]) == [sha256.Size]byte(pin) {
				return nil
			}
			return &tls.CertificateVerificationError{Err: errors.New("it is not the pinned one")}
		}
	default:
		if authorities := wanted.GetCaCertificates(); authorities != "" {
			config.RootCAs = x509.NewCertPool()
			if !config.RootCAs.AppendCertsFromPEM([]byte(authorities)) {
				return nil, host.Problem(typev1.Reason_REASON_ACCESS_INFO_INCOMPLETE, "rest.tls.ca_certificates holds no certificate.")
			}
		}
	}
	return config, nil
}

// do asks the array, as someone who is logged in, and reads the answer into `into` if that isn't nil.
func (own *client) do(ctx context.Context, method, path string, body, into any) error {
	token, err := own.session(ctx, "")
	if err != nil {
		return err
	}
	status, err := own.send(ctx, method, path, token, body, into)
	if err == nil && status == http.StatusUnauthorized {
		if token, err = own.session(ctx, token); err != nil {
			return err
		}
		status, err = own.send(ctx, method, path, token, body, into)
	}
	if err == nil && status == http.StatusUnauthorized {
		err = host.Problem(typev1.Reason_REASON_BAD_RESPONSE, "The array forgets a session at once.")
	}
	return err
}

// session is the token of a login; one that the array refused is replaced, once for all who come with it.
func (own *client) session(ctx context.Context, refused string) (string, error) {
	select {
	case own.login <- struct{}{}:
		defer func() { <-own.login }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	if token := own.current(); token != "" && token != refused {
		return token, nil
	}
	var answer struct{ Token string }
	body := map[string]string{"user": own.username, "password": own.password}
	status, err := own.send(ctx, http.MethodPost, "/api/session", "", body, &answer)
	if err != nil {
		return "", err
	}
	if status == http.StatusUnauthorized {
		return "", host.Problem(typev1.Reason_REASON_INVALID_USERNAME_OR_PASSWORD, "The array refuses the user or the password.")
	}
	if answer.Token == "" {
		return "", host.Problem(typev1.Reason_REASON_BAD_RESPONSE, "The array's answer to the login has no token.")
	}
	own.lock.Lock()
	defer own.lock.Unlock()
	own.token = answer.Token
	return own.token, nil
}

func (own *client) current() string {
	own.lock.Lock()
	defer own.lock.Unlock()
	return own.token
}

// close logs out.
func (own *client) close(ctx context.Context) error {
	defer own.http.CloseIdleConnections()
	token := own.current()
	if token == "" {
		return nil
	}
	_, err := own.send(ctx, http.MethodDelete, "/api/session", token, nil, nil)
	return err
}

// send makes one request. Only 401 is left to the caller; all else that is no success is an error.
func (own *client) send(ctx context.Context, method, path, token string, body, into any) (int, error) {
	if err := own.pace.wait(ctx); err != nil {
		return 0, err
	}
	limited, cancel := context.WithTimeout(ctx, own.readTimeout)
	defer cancel()
	var sent io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return 0, err
		}
		sent = bytes.NewReader(raw)
	}
	request, err := http.NewRequestWithContext(limited, method, own.base+path, sent)
	if err != nil {
		return 0, host.Problem(typev1.Reason_REASON_INVALID_IP_OR_PORT, "The array's address can't be used.")
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := own.http.Do(request)
	if err != nil {
		return 0, unreachable(ctx, err)
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(answer.Body, mostAnswer))
	if err != nil {
		return 0, unreachable(ctx, err)
	}
	switch {
	case answer.StatusCode == http.StatusUnauthorized:
		return answer.StatusCode, nil
	case answer.StatusCode >= 300:
		return 0, refused(answer, raw, method+" "+pathOf(path))
	case into == nil:
		return answer.StatusCode, nil
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return 0, host.Problem(typev1.Reason_REASON_BAD_RESPONSE, "The array's answer to %s %s is not the JSON that is expected.",
			method, pathOf(path))
	}
	return answer.StatusCode, nil
}

func pathOf(path string) string { before, _, _ := strings.Cut(path, "?"); return before }

// refused says what a status means.
func refused(answer *http.Response, raw []byte, what string) error {
	var said struct{ Error string }
	_ = json.Unmarshal(raw, &said) // what is no JSON says nothing
	if said.Error == "" {
		said.Error = "nothing"
	}
	reason := typev1.Reason_REASON_STORAGE_BACKEND_EXCEPTION
	switch code := answer.StatusCode; {
	case code == http.StatusTooManyRequests || code == http.StatusServiceUnavailable:
		problem := host.Problem(typev1.Reason_REASON_ARRAY_BUSY, "The array is busy; to %s it says %s.", what, said.Error)
		problem.RetryAfter = defaultRetry
		if seconds, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil && seconds > 0 {
			problem.RetryAfter = time.Duration(seconds) * time.Second
		}
		return problem
	case code == http.StatusForbidden:
		reason = typev1.Reason_REASON_ARRAY_PERMISSION_DENIED
	case code == http.StatusNotFound:
		reason = typev1.Reason_REASON_ARRAY_OBJECT_NOT_FOUND
	case code < 400:
		reason = typev1.Reason_REASON_BAD_RESPONSE
	}
	return host.Problem(reason, "The array answers %d to %s; it says %s.", answer.StatusCode, what, said.Error)
}

// unreachable says why there was no answer.
func unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err() // the call's own deadline, or its caller gave up
	}
	var (
		certificate *tls.CertificateVerificationError
		record      tls.RecordHeaderError
		alert       tls.AlertError
		name        *net.DNSError
		operation   *net.OpError
		asked       *url.Error
		timeout     interface{ Timeout() bool }
	)
	if errors.As(err, &asked) {
		err = asked.Err
	}
	late := errors.As(err, &timeout) && timeout.Timeout()
	switch {
	case errors.As(err, &certificate):
		return host.Problem(typev1.Reason_REASON_SSL_CERTIFICATE_FAILED, "The array's certificate can't be verified: %v.", certificate.Err)
	case errors.As(err, &record), errors.As(err, &alert):
		return host.Problem(typev1.Reason_REASON_SSL_HANDSHAKE_FAILED, "No TLS session could be agreed on with the array: %v.", err)
	case errors.As(err, &name):
		return host.Problem(typev1.Reason_REASON_INVALID_IP_OR_PORT, "The array's host name can't be resolved.")
	case errors.As(err, &operation) && operation.Op == "dial" && late:
		return host.Problem(typev1.Reason_REASON_CONNECT_TIMEOUT, "No connection to the array could be made in time.")
	case errors.As(err, &operation), late, errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return host.Problem(typev1.Reason_REASON_ARRAY_UNREACHABLE, "The array doesn't answer: %v.", err)
	}
	return host.Problem(typev1.Reason_REASON_INVALID_IP_OR_PORT, "What listens at the array's address doesn't speak HTTP: %v.", err)
}

// each reads a list, page by page, and gives each item to use.
func each[Item any](ctx context.Context, own *client, kind string, use func(*Item) error) error {
	for start := 0; ; {
		var page struct {
			Items []*Item
			Next  *int
		}
		if err := own.do(ctx, http.MethodGet, fmt.Sprintf("/api/%s?start=%d&count=%d", kind, start, pageSize), nil, &page); err != nil {
			return err
		}
		for _, item := range page.Items {
			if err := use(item); err != nil {
				return err
			}
		}
		if page.Next == nil {
			return nil
		}
		if *page.Next <= start {
			return host.Problem(typev1.Reason_REASON_BAD_RESPONSE, "The array's pages of %s go in a circle.", kind)
		}
		start = *page.Next
	}
}

// pace spreads requests over time.
type pace struct {
	lock  sync.Mutex
	apart time.Duration
	next  time.Time
}

func newPace(perSecond float64) *pace {
	if perSecond <= 0 {
		return &pace{}
	}
	return &pace{apart: time.Duration(float64(time.Second) / perSecond)}
}

func (own *pace) wait(ctx context.Context) error {
	own.lock.Lock()
	now := time.Now()
	if own.next.Before(now) {
		own.next = now
	}
	turn := own.next
	own.next = own.next.Add(own.apart)
	own.lock.Unlock()
	if !turn.After(now) {
		return nil
	}
	select {
	case <-time.After(time.Until(turn)):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
