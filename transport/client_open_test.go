// Tests of opening streams where the server allows few at a time.

package transport

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/transport/internal/frame"
)

// noEvents hears of nothing.
type noEvents struct{}

func (noEvents) Draining(GoAwayReason) {}
func (noEvents) Closed(error)          {}

// dialSilent returns a client whose server sends its settings, reads everything and answers nothing, until the end of the test.
func dialSilent(t *testing.T, settings ...frame.Setting) *Client {
	t.Helper()
	near, far := net.Pipe()
	go func() {
		_, _ = far.Write(frame.AppendSettings(nil, settings))
		_, _ = io.Copy(io.Discard, far)
	}()
	c, err := NewClient(t.Context(), near, ClientOptions{Scheme: "http"}, noEvents{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		far.Close()
		<-c.Done()
	})
	return c
}

func TestCallThatCannotUseItsTurnPassesItOn(t *testing.T) {
	large := &CallHeader{Method: "/s/m", Authority: "a", Metadata: metadata.Pairs("k", strings.Repeat("v", 1000))}
	late := &CallHeader{Method: "/s/m", Authority: "a"}
	for _, tt := range []struct {
		about string
		first *CallHeader
	}{{"header list too large", large}, {"deadline passed", late}} {
		t.Run(tt.about, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := dialSilent(t, frame.Setting{ID: frame.MaxConcurrentStreams, Value: 1}, frame.Setting{ID: frame.MaxHeaderListSize, Value: 1000})
				late.Deadline = time.Now().Add(time.Second)
				open := func(ctx context.Context, h *CallHeader) (*ClientStream, chan error) {
					s, result := new(ClientStream), make(chan error, 1)
					go func() { result <- c.Open(ctx, s, h, nil, true) }()
					synctest.Wait()
					return s, result
				}
				s, result := open(t.Context(), &CallHeader{Method: "/s/m", Authority: "a"})
				if err := <-result; err != nil {
					t.Fatal(err)
				}
				_, first := open(t.Context(), tt.first)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				_, second := open(ctx, &CallHeader{Method: "/s/m", Authority: "a"})
				<-time.After(2 * time.Second)
				s.Cancel(canceled)
				if err := <-first; err == nil {
					t.Error("first in the queue: got no error, want one")
				}
				if err := <-second; err != nil {
					t.Errorf("second in the queue: got %v, want a stream", err)
				}
			})
		})
	}
}

func TestMetadataThatCannotBeSentOpensNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p, _ := dialPeer(t, ClientOptions{}, false)
		for _, tt := range []struct {
			name string
			h    CallHeader
			want string // what the error begins with
		}{
			{"credentials of the channel", CallHeader{Credentials: [2]map[string]string{{"Key": "v"}}}, `stream error: code = Internal desc = "header key \"Key\"`},
			{"credentials of the call", CallHeader{Credentials: [2]map[string]string{{"a": "v"}, {"b": "\n"}}}, `stream error: code = Internal desc = "header key \"b\"`},
			{"metadata", CallHeader{Metadata: metadata.MD{"b": {"\r"}}}, `stream error: code = Internal`},
			{"added metadata", CallHeader{Added: [][]string{{"B", "\x00"}}}, `stream error: code = Internal`},
			{"metadata of the pick", CallHeader{PickMD: metadata.MD{"": {"v"}}}, `stream error: code = Internal desc = "there is an empty key in the header"`},
		} {
			m := messageOf(10)
			m.Ref()
			tt.h.Method, tt.h.Authority = "/s/m", "a"
			err := c.Open(t.Context(), new(ClientStream), &tt.h, m, true)
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("%s: got %v, want %s…", tt.name, err, tt.want)
			}
			if got := m.refs.Load(); got != 1 {
				t.Errorf("%s: got %d references of the message, want the test's", tt.name, got)
			}
		}
		p.want()
	})
}
