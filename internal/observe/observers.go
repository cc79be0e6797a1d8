package observe

import "gatehouse/internal/gateway"

// Observers tells each of several observers about every request, in order.
type Observers []gateway.Observer

// Done implements gateway.Observer.
func (o Observers) Done(r *gateway.Record) {
	for _, each := range o {
		each.Done(r)
	}
}
