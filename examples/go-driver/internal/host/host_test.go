package host

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	driverv1 "delphis.dev/go/delphis/driver/v1"
	typev1 "delphis.dev/go/delphis/type/v1"
)

func settingsOf(variables map[string]string) (Settings, error) {
	return FromEnvironment(func(name string) string { return variables[name] }, Default{"dev.x.y", "1", "v", "m"})
}

func TestSettingsSayWhatIsWrong(t *testing.T) {
	for name, wrong := range map[string]map[string]string{
		"ENDPOINT": {},
		"unix:///": {"DELPHIS_DRIVER_ENDPOINT": "http://a"},
		"TLS":      {"DELPHIS_DRIVER_ENDPOINT": "tcp://0.0.0.0:7000"},
		"all of":   {"DELPHIS_DRIVER_ENDPOINT": "tcp://0.0.0.0:7000", "DELPHIS_DRIVER_TLS_CA": "ca.pem"},
		"READY_FD": {"DELPHIS_DRIVER_ENDPOINT": "unix:///x", "DELPHIS_DRIVER_READY_FD": "three"},
		"DRAIN":    {"DELPHIS_DRIVER_ENDPOINT": "unix:///x", "DELPHIS_DRIVER_DRAIN": "0"},
		"SERVES":   {"DELPHIS_DRIVER_ENDPOINT": "unix:///x", "DELPHIS_DRIVER_SERVES": "acme box"},
	} {
		if _, err := settingsOf(wrong); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v: %v, which says nothing of %s", wrong, err, name)
		}
	}
	found, err := settingsOf(map[string]string{
		"DELPHIS_DRIVER_ENDPOINT": "tcp://127.0.0.1:0", "DELPHIS_DRIVER_SERVES": `[{"vendor": "acme", "model": "box"}]`,
	})
	if err != nil || len(found.Serves) != 1 || found.Serves[0].Model != "box" || found.Name != "dev.x.y" {
		t.Errorf("%v, %v", found, err)
	}
}

func TestEveryReasonHasItsCode(t *testing.T) {
	for _, pair := range []struct {
		reason typev1.Reason
		code   codes.Code
	}{
		{typev1.Reason_REASON_INVALID_USERNAME_OR_PASSWORD, codes.FailedPrecondition},
		{typev1.Reason_REASON_ARRAY_BUSY, codes.Unavailable},
		{typev1.Reason_REASON_OWNER_EPOCH_STALE, codes.Aborted},
		{typev1.Reason_REASON_ARRAY_TIMEOUT, codes.DeadlineExceeded},
	} {
		if found := code(pair.reason); found != pair.code {
			t.Errorf("%v: %v", pair.reason, found)
		}
	}
}

func TestErrorsCarryReasonAndDelayAndNoSecret(t *testing.T) {
	secrets := NewSecrets()
	secrets.AddText("owner", `p@ss"word`)
	problem := Problem(typev1.Reason_REASON_ARRAY_BUSY, "busy: %s and p%%40ss%%22word", `p@ss"word`)
	problem.RetryAfter = 2 * time.Second
	found := status.Convert(asStatus(context.Background(), "GetStorage", problem, secrets))
	if strings.Contains(found.Message(), "word") || !strings.Contains(found.Message(), mask) {
		t.Errorf("the message is %q", found.Message())
	}
	info, retry := found.Details()[0].(*errdetails.ErrorInfo), found.Details()[1].(*errdetails.RetryInfo)
	if info.Reason != "ARRAY_BUSY" || info.Domain != "delphis.dev" || retry.RetryDelay.AsDuration() != 2*time.Second {
		t.Errorf("%v, %v", info, retry)
	}
	secrets.Remove("owner")
	if text := secrets.Scrub(`p@ss"word`); text == mask {
		t.Error("a secret is held that nobody owns")
	}
}

func TestSecretsAreThoseThatTheContractMarks(t *testing.T) {
	access := &typev1.AccessInfo{
		Rest:            &typev1.RestAccess{Host: proto.String("array.example"), Password: proto.String("hunter22")},
		ExtraAttributes: map[string]string{"key": "sesame-open", "volumes": "10000"},
	}
	secrets := NewSecrets()
	secrets.Add("owner", &driverv1.Target{AccessInfo: access}, map[string]bool{"volumes": true})
	if text := secrets.Scrub("array.example hunter22 sesame-open 10000"); text != "array.example *** *** 10000" {
		t.Errorf("%q", text)
	}
}

func TestLanes(t *testing.T) {
	all := newLanes(1, 1)
	leave, err := all.enter(context.Background(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if other, err := all.enter(context.Background(), "b"); err != nil {
		t.Errorf("another array waits, too: %v", err)
	} else {
		other()
	}
	waiting := make(chan error, 1)
	go func() {
		leave, err := all.enter(context.Background(), "a")
		if err == nil {
			leave()
		}
		waiting <- err
	}()
	for all.callers("a") < 2 {
		time.Sleep(time.Millisecond)
	}
	_, err = all.enter(context.Background(), "a")
	var problem *Error
	if !errors.As(err, &problem) || problem.Reason != typev1.Reason_REASON_DRIVER_OVERLOADED || problem.RetryAfter == 0 {
		t.Errorf("the third caller: %v", err)
	}
	leave()
	if err := <-waiting; err != nil {
		t.Error(err)
	}
	if len(all.byArray) != 0 {
		t.Error("lanes stay that nobody uses")
	}
}

func (all *lanes) callers(storageID string) int {
	all.lock.Lock()
	defer all.lock.Unlock()
	if own := all.byArray[storageID]; own != nil {
		return own.callers
	}
	return 0
}
