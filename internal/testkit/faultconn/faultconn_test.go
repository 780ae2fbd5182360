// Tests of the faults: each happens where the plan says, and does what its comment says.

package faultconn

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// frames returns n frames with payloads of size bytes.
func frames(n, size int) (wire []byte) {
	for i := range n {
		wire = append(wire, byte(size>>16), byte(size>>8), byte(size), 0, 0, 0, 0, 0, 1)
		wire = append(wire, bytes.Repeat([]byte{byte(i)}, size)...)
	}
	return wire
}

// pair returns a connection on which the server's bytes follow a plan.
func pair(t *testing.T, down Plan) (client, server net.Conn) {
	client, server = Pair(rand.New(rand.NewPCG(1, 2)), Plan{}, down)
	t.Cleanup(func() { client.Close(); server.Close() })
	return client, server
}

// send writes all of wire in a goroutine of its own, and closes the channel with the error.
func send(nc net.Conn, wire []byte) <-chan error {
	done := make(chan error, 1)
	go func() { // ends when nc takes no more, at the latest when it is closed
		_, err := nc.Write(wire)
		done <- err
	}()
	return done
}

// readFor reads until an error, or for a second.
func readFor(nc net.Conn) ([]byte, error) {
	_ = nc.SetReadDeadline(time.Now().Add(time.Second))
	return io.ReadAll(nc)
}

func TestFaultsCutBehindFramesAndBytes(t *testing.T) {
	wire := frames(4, 30)
	for _, fault := range []Fault{Close, HalfClose, Hole, Holes} {
		for _, piece := range []int{0, 1, 50} {
			for n := range 4 {
				for _, extra := range []int{0, 5, 20} {
					synctest.Test(t, func(t *testing.T) {
						plan := Plan{Fault: fault, Frames: n, Bytes: extra, Piece: piece}
						client, server := pair(t, plan)
						send(server, wire)
						want := wire[:n*39+extra]
						wantErr := error(nil)
						if fault == Hole || fault == Holes {
							wantErr = os.ErrDeadlineExceeded
						}
						if got, err := readFor(client); !bytes.Equal(got, want) || err != wantErr {
							t.Errorf("%v: got %d bytes, %v, want %d, %v", plan, len(got), err, len(want), wantErr)
						}
					})
				}
			}
		}
	}
}

func TestPrefaceIsNotCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := Pair(rand.New(rand.NewPCG(1, 2)), Plan{Fault: Close, Frames: 1}, Plan{})
		wire := append(make([]byte, prefaceLen), frames(2, 7)...)
		send(client, wire)
		if got, err := readFor(server); !bytes.Equal(got, wire[:prefaceLen+16]) || err != nil {
			t.Errorf("got %d bytes, %v, want %d", len(got), err, prefaceLen+16)
		}
		client.Close()
		server.Close()
	})
}

func TestFaultsBeyondTheEndDoNotHappen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := pair(t, Plan{Fault: Reset, Frames: 2, Bytes: 1, Piece: 3, Pause: true})
		wire := frames(2, 100)
		send(server, wire)
		if got, err := readFor(client); !bytes.Equal(got, wire) || err != os.ErrDeadlineExceeded {
			t.Errorf("got %d bytes, %v, want %d", len(got), err, len(wire))
		}
	})
}

func TestResetEndsBothDirections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := pair(t, Plan{Fault: Reset, Frames: 1})
		done := send(server, frames(2, 10))
		if err := <-done; !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("write of the server: got %v, want %v", err, io.ErrClosedPipe)
		}
		if got, err := readFor(client); len(got) != 0 || err == nil {
			t.Errorf("read of the client: got %d bytes, %v, want an error", len(got), err)
		}
		if _, err := client.Write([]byte("x")); err == nil {
			t.Error("write of the client: got no error")
		}
	})
}

func TestHalfCloseLeavesTheOtherDirection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := pair(t, Plan{Fault: HalfClose})
		if _, err := server.Write([]byte("x")); err == nil {
			t.Error("write of the server: got no error")
		}
		if err := <-send(client, []byte("up")); err != nil {
			t.Errorf("write of the client: %v", err)
		}
		client.Close()
		if got, err := readFor(server); string(got) != "up" || err != nil {
			t.Errorf("read of the server: got %q, %v, want up", got, err)
		}
	})
}

func TestHoleFillsUpAndLosesTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := pair(t, Plan{Fault: Hole, Buffer: 10})
		_ = server.SetWriteDeadline(time.Now().Add(time.Minute)) // of the connection before the hole
		done := send(server, make([]byte, 11))
		synctest.Wait()
		select {
		case err := <-done:
			t.Errorf("write of 11 bytes into a buffer of 10: got %v, want it to wait", err)
		default:
		}
		server.Close()
		if err := <-done; err == nil {
			t.Error("write after Close: got no error")
		}
		if _, err := readFor(client); err != os.ErrDeadlineExceeded {
			t.Errorf("read of the client after the server's Close: got %v, want %v", err, os.ErrDeadlineExceeded)
		}
	})
}

func TestStallOnlyTakesTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := pair(t, Plan{Fault: Stall, Frames: 1})
		start, wire := time.Now(), frames(2, 10)
		done := send(server, wire)
		if got, _ := readFor(client); !bytes.Equal(got, wire) {
			t.Errorf("got %d bytes, want %d", len(got), len(wire))
		}
		if took := time.Since(start); <-done != nil || took < StallTime {
			t.Errorf("took %v, want at least %v", took, StallTime)
		}
	})
}

func TestGarbleTurnsOneBit(t *testing.T) {
	for _, extra := range []int{0, 3, 18} {
		synctest.Test(t, func(t *testing.T) {
			client, server := pair(t, Plan{Fault: Garble, Frames: 1, Bytes: extra, Piece: 4})
			wire := frames(2, 10)
			original := bytes.Clone(wire)
			send(server, wire)
			got, _ := readFor(client)
			want := bytes.Clone(wire)
			if len(got) == len(want) {
				want[19+extra] = got[19+extra]
			}
			if flipped := got[19+extra] ^ wire[19+extra]; !bytes.Equal(got, want) || flipped == 0 || flipped&(flipped-1) != 0 {
				t.Errorf("behind %d bytes: got %x, want %x but for one bit", extra, got, wire)
			}
			if !bytes.Equal(wire, original) {
				t.Error("the bytes of the writer were changed")
			}
		})
	}
}

func TestListenerFollowsThePlanOfEachConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := Listen(1, func(n int) (up, down Plan) {
			if n == 0 {
				down.Fault = Close
			}
			return up, down
		})
		for n := range 2 {
			accepted := make(chan net.Conn, 1)
			go func() { // ends with the Dial below
				nc, _ := l.Accept()
				accepted <- nc
			}()
			client, err := l.Dial(t.Context(), "")
			if err != nil {
				t.Fatal(err)
			}
			server := <-accepted
			if _, err := server.Write([]byte("x")); (err != nil) != (n == 0) {
				t.Errorf("write on connection %d: got %v, want an error on the first alone", n, err)
			}
			client.Close()
			server.Close()
		}
		if got := l.Conns(); got != 2 {
			t.Errorf("got %d connections, want 2", got)
		}
		l.Close()
		if _, err := l.Accept(); err == nil {
			t.Error("Accept after Close: got no error")
		}
		if _, err := l.Dial(context.Background(), ""); err == nil {
			t.Error("Dial after Close: got no error")
		}
	})
}
