// Producers: what load-balancing policies have running on one subchannel, such as a stream of load reports, shared by all who want it
// (balancer.SubConn.GetOrBuildProducer). Their calls go to that subchannel and nowhere else.

package grpc

import (
	"context"
	"sync"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// producers holds the producers of one subchannel.
type producers struct {
	calls subchannelCalls

	mu      sync.Mutex // guards running; held while a producer is built, so that nobody builds it twice
	running map[balancer.ProducerBuilder]*producer
}

// A producer is in use as long as it has users.
type producer struct {
	value balancer.Producer
	stop  func()
	users int
}

// get returns the producer of a builder, which it builds if there is none, and what gives it back.
func (p *producers) get(b balancer.ProducerBuilder) (balancer.Producer, func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.running[b]
	if r == nil {
		r = new(producer)
		r.value, r.stop = b.Build(&p.calls)
		if p.running == nil {
			p.running = make(map[balancer.ProducerBuilder]*producer)
		}
		p.running[b] = r
	}
	r.users++
	return r.value, sync.OnceFunc(func() { p.put(b, r) })
}

// put gives a producer back. The last user stops it.
func (p *producers) put(b balancer.ProducerBuilder, r *producer) {
	p.mu.Lock()
	r.users--
	last := r.users == 0 && p.running[b] == r
	if last {
		delete(p.running, b)
	}
	p.mu.Unlock()
	if last {
		r.stop()
	}
}

// close stops all producers, since their connection has ended.
func (p *producers) close() {
	p.mu.Lock()
	running := p.running
	p.running = nil
	p.mu.Unlock()
	for _, r := range running {
		go r.stop() // owned by the producer, which ends with its connection; it may wait for calls that wait for the queue
	}
}

// subchannelCalls is a subchannel as something to make calls on. They do not count for the channel's idle mode, and no service config
// applies to them.
type subchannelCalls struct {
	cc      *ClientConn
	pickers pickers
}

var _ ClientConnInterface = (*subchannelCalls)(nil)

func (c *subchannelCalls) init(sc *subchannel) {
	c.cc = sc.ac.cc
	c.pickers.init()
	c.pickers.set(onlyPicker{sc})
}

// onlyPicker picks one subchannel.
type onlyPicker struct{ sc *subchannel }

func (p onlyPicker) Pick(balancer.PickInfo) (balancer.PickResult, error) {
	if p.sc.ready.Load() == nil {
		return balancer.PickResult{}, status.Error(codes.Unavailable, "SubConn state is not Ready")
	}
	return balancer.PickResult{SubConn: p.sc}, nil
}

// Invoke implements ClientConnInterface.
func (c *subchannelCalls) Invoke(ctx context.Context, method string, args, reply any, opts ...CallOption) error {
	cs, err := newClientStream(ctx, unaryDesc, c.cc, &c.pickers, method, opts)
	if err != nil {
		return err
	}
	return cs.invoke(args, reply)
}

// NewStream implements ClientConnInterface.
func (c *subchannelCalls) NewStream(ctx context.Context, desc *StreamDesc, method string, opts ...CallOption) (ClientStream, error) {
	cs, err := newClientStream(ctx, desc, c.cc, &c.pickers, method, opts)
	if err != nil {
		return nil, err
	}
	return cs.open()
}
