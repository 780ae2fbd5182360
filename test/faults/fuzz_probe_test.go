// What the fuzz targets of whole connections ask at the end: whether a connection that has borne a script still works.

package faults

import (
	"context"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"google.golang.org/grpc/internal/testkit/stubs/grpc162"
)

// probeStream is a stream above all that scripts open.
const probeStream = 1<<20 + 1

// widen gives the other end room for whatever it wants to send.
func (p *script) widen() {
	_ = p.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 65535}, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 1000})
	p.granted[0] += 1 << 20
	_ = p.framer.WriteWindowUpdate(0, 1<<20)
}

// probeServer calls the server once more. It must answer or refuse, unless it has ended the connection or will.
func (p *script) probeServer() {
	if p.astray {
		return
	}
	p.widen()
	p.fields(probeStream, 0, []string{":method", "POST", ":scheme", "http", ":path", methods[0], ":authority", "a", "content-type", "application/grpc", "te", "trailers"})
	_ = p.framer.WriteData(probeStream, true, message(nil))
	<-time.After(time.Second)
	synctest.Wait()
	if s := p.heard[probeStream]; (s == nil || !s.over) && !p.ended && p.goAway > probeStream {
		p.t.Errorf("a call behind the script got no answer")
	}
}

// probeClient has the channel make one more call, and ends it. It must be over then, unless the connection is.
func (p *script) probeClient(a *caller) {
	if p.astray || p.gone {
		return
	}
	p.widen()
	synctest.Wait()
	before, over := p.opened, make(chan error, 1)
	ctx, cancel := context.WithTimeout(p.t.Context(), timeout)
	defer cancel()
	a.calls.Go(func() {
		_, err := grpc162.NewEchoClient(a.cc).Unary(ctx, &grpc162.Request{})
		over <- err
	})
	synctest.Wait()
	if p.opened > before {
		p.fields(p.opened, 2, append(headers[0][:4:4], "grpc-status", "5"))
		synctest.Wait()
	}
	if len(over) == 0 && !p.ended {
		p.t.Errorf("a call behind the script did not end")
	}
}
