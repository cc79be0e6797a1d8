package countertest

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"gatehouse/internal/counter"
)

// A Flaky server loses asks on their way there, or answers on their way back.
type Flaky struct {
	counter.Server
	Loss float64 // share of exchanges that fail, 0 to 1, half of them after they were carried out

	dead atomic.Bool
	busy sync.RWMutex // held for reading during an exchange
	mu   sync.Mutex
	rand *rand.Rand
}

// NewFlaky returns a Flaky that forwards to s and fails as seed says.
func NewFlaky(s counter.Server, loss float64, seed uint64) *Flaky {
	return &Flaky{Server: s, Loss: loss, rand: rand.New(rand.NewPCG(seed, 1))}
}

// Cut makes all calls fail from now on, as when the node was killed. An exchange that is
// under way ends first.
func (f *Flaky) Cut() {
	f.busy.Lock()
	defer f.busy.Unlock()
	f.dead.Store(true)
}

var errLost = errors.New("the exchange got lost")

// Exchange implements counter.Server.
func (f *Flaky) Exchange(ctx context.Context, b counter.Batch) (counter.Answer, error) {
	f.busy.RLock()
	defer f.busy.RUnlock()
	f.mu.Lock()
	chance := f.rand.Float64()
	f.mu.Unlock()
	if f.dead.Load() || chance < f.Loss/2 {
		return counter.Answer{}, errLost
	}
	ans, err := f.Server.Exchange(ctx, b)
	if err == nil && chance < f.Loss {
		return counter.Answer{}, errLost
	}
	return ans, err
}

// Leave implements counter.Server.
func (f *Flaky) Leave(ctx context.Context, node string) error {
	if f.dead.Load() {
		return errLost
	}
	return f.Server.Leave(ctx, node)
}
