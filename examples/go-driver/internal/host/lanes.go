package host

import (
	"context"
	"sync"
	"time"

	typev1 "delphis.dev/go/delphis/type/v1"
)

// lanes limit how many calls of one array run and wait at a time, so that no array takes all of the host, and no host takes
// all of an array.
type lanes struct {
	lock         sync.Mutex
	limit, queue int
	byArray      map[string]*lane
}

type lane struct {
	places  chan struct{}
	callers int // that run or wait
}

func newLanes(limit, queue int) *lanes {
	return &lanes{limit: max(1, limit), queue: queue, byArray: map[string]*lane{}}
}

// enter waits for a place; leave gives it back.
func (all *lanes) enter(ctx context.Context, storageID string) (leave func(), err error) {
	all.lock.Lock()
	own := all.byArray[storageID]
	if own == nil {
		own = &lane{places: make(chan struct{}, all.limit)}
		all.byArray[storageID] = own
	}
	if own.callers >= all.limit+all.queue {
		all.lock.Unlock()
		problem := Problem(typev1.Reason_REASON_DRIVER_OVERLOADED, "%d calls wait for this array already.", all.queue)
		problem.RetryAfter = time.Second
		return nil, problem
	}
	own.callers++
	all.lock.Unlock()
	gone := func() {
		all.lock.Lock()
		defer all.lock.Unlock()
		if own.callers--; own.callers == 0 {
			delete(all.byArray, storageID)
		}
	}
	select {
	case own.places <- struct{}{}:
		return func() { <-own.places; gone() }, nil
	case <-ctx.Done():
		gone()
		return nil, ctx.Err()
	}
}
