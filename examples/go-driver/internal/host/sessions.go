package host

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	driverv1 "delphis.dev/go/delphis/driver/v1"
	typev1 "delphis.dev/go/delphis/type/v1"
)

const (
	loginTime  = 60 * time.Second // a login goes on when its first caller has given up: others may wait for it
	logoutTime = 10 * time.Second
)

// sessions are the arrays that are logged in, one login for each storage and revision of its access info.
type sessions struct {
	driver  Driver
	fields  []*driverv1.AccessField
	plain   map[string]bool
	secrets *Secrets
	most    int

	lock    sync.Mutex
	current map[string]*session
	closing sync.WaitGroup
}

type session struct {
	storageID string
	revision  int64
	access    *typev1.AccessInfo
	ready     chan struct{} // closed when array or err is set
	array     Array
	err       error
	users     int
	lastUsed  time.Time
	retired   bool
	ended     chan struct{}
}

func newSessions(driver Driver, secrets *Secrets, most int) *sessions {
	plain := map[string]bool{}
	fields := driver.AccessFields()
	for _, field := range fields {
		if field.Plain {
			plain[field.Path[len(extra):]] = true
		}
	}
	return &sessions{driver: driver, fields: fields, plain: plain, secrets: secrets, most: most, current: map[string]*session{}}
}

// enter is the array of a call, logged in; leave must be called after.
func (all *sessions) enter(ctx context.Context, target *driverv1.Target) (Array, func(), error) {
	all.lock.Lock()
	own := all.current[target.StorageId]
	if own != nil && !own.serves(target) {
		all.retire(own)
		own = nil
	}
	if own == nil {
		own = &session{
			storageID: target.StorageId, revision: target.AccessRevision, access: target.AccessInfo,
			ready: make(chan struct{}), ended: make(chan struct{}), lastUsed: time.Now(),
		}
		all.current[target.StorageId] = own
		all.makeRoom(own)
		go all.logIn(own)
	}
	own.users++
	all.lock.Unlock()
	select {
	case <-own.ready:
	case <-ctx.Done():
		all.leave(own)
		return nil, nil, ctx.Err()
	}
	if own.err != nil {
		all.leave(own)
		return nil, nil, own.err
	}
	return own.array, func() { all.leave(own) }, nil
}

// serves tells whether a call may use the session. Revision 0 is what callers send that count no revisions.
func (own *session) serves(target *driverv1.Target) bool {
	return own.revision == target.AccessRevision && (own.revision > 0 || proto.Equal(own.access, target.AccessInfo))
}

func (all *sessions) logIn(own *session) {
	all.secrets.Add(own, own.access, all.plain)
	ctx, cancel := context.WithTimeout(context.Background(), loginTime)
	defer cancel()
	access, err := completed(own.access, all.fields)
	var array Array
	if err == nil {
		array, err = all.open(ctx, access)
	}
	if err != nil {
		err = understood(ctx, "The login", err).scrubbed(all.secrets)
	}
	all.lock.Lock()
	own.array, own.err = array, err
	close(own.ready)
	if err != nil {
		all.retire(own) // the next call tries again
	}
	all.lock.Unlock()
}

// open keeps a fault of the driver's from ending the process; it is in no call's goroutine.
func (all *sessions) open(ctx context.Context, access *typev1.AccessInfo) (array Array, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = Problem(typev1.Reason_REASON_DRIVER_FAULT, "The driver's login failed: %v.", fault)
		}
	}()
	return all.driver.Open(ctx, access)
}

func (all *sessions) leave(own *session) {
	all.lock.Lock()
	defer all.lock.Unlock()
	own.users--
	own.lastUsed = time.Now()
	if own.retired && own.users == 0 {
		all.end(own)
	}
}

// retire ends a session as soon as no call uses it. The lock is held.
func (all *sessions) retire(own *session) {
	if all.current[own.storageID] == own {
		delete(all.current, own.storageID)
	}
	if own.retired {
		return
	}
	own.retired = true
	if own.users == 0 {
		all.end(own)
	}
}

// end logs out. The lock is held.
func (all *sessions) end(own *session) {
	all.closing.Add(1)
	go func() {
		defer all.closing.Done()
		defer close(own.ended)
		<-own.ready
		defer all.secrets.Remove(own)
		if own.array == nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), logoutTime)
		defer cancel()
		if err := own.array.Close(ctx); err != nil {
			slog.Warn("the logout failed", "storage", own.storageID, "error", err)
		}
	}()
}

// forget logs out of an array; the channel is closed when that is done.
func (all *sessions) forget(storageID string) <-chan struct{} {
	all.lock.Lock()
	defer all.lock.Unlock()
	own := all.current[storageID]
	if own == nil {
		done := make(chan struct{})
		close(done)
		return done
	}
	all.retire(own)
	return own.ended
}

// forgetIdle logs out where nobody called for long.
func (all *sessions) forgetIdle(idle time.Duration) {
	all.lock.Lock()
	defer all.lock.Unlock()
	for _, own := range all.current {
		if own.users == 0 && time.Since(own.lastUsed) > idle {
			all.retire(own)
		}
	}
}

// makeRoom logs out of the array that was left alone the longest. The lock is held.
func (all *sessions) makeRoom(newest *session) {
	for len(all.current) > all.most {
		var oldest *session
		for _, own := range all.current {
			if own != newest && own.users == 0 && (oldest == nil || own.lastUsed.Before(oldest.lastUsed)) {
				oldest = own
			}
		}
		if oldest == nil {
			return
		}
		all.retire(oldest)
	}
}

// closeAll logs out everywhere, and waits for it.
func (all *sessions) closeAll(ctx context.Context) {
	all.lock.Lock()
	for _, own := range all.current {
		all.retire(own)
	}
	all.lock.Unlock()
	done := make(chan struct{})
	go func() { all.closing.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
		slog.Warn("some arrays could not be logged out of in time")
	}
}
