// The service of these tests, and one call of each kind on it. What comes back is checked byte by byte: a call may fail, but never
// deliver what was not sent.

package faults

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/internal/testkit/stubs/grpc162"
)

// echo is the service. A request's Text says how long the handler waits before its last answer; "-" stands for the end of the call.
type echo struct {
	grpc162.UnimplementedEchoServer
}

func (echo) Unary(ctx context.Context, in *grpc162.Request) (*grpc162.Response, error) {
	return &grpc162.Response{Payload: in.Payload}, linger(ctx, in.Text)
}

// Collect answers with the number of messages and a checksum of all.
func (echo) Collect(s grpc.ClientStreamingServer[grpc162.Request, grpc162.Response]) error {
	n, sum, text := int32(0), uint32(0), ""
	for {
		in, err := s.Recv()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		sum = crc32.Update(sum, crc32.IEEETable, in.Payload)
		text = in.Text
		n++
	}
	if err := linger(s.Context(), text); err != nil {
		return err
	}
	return s.SendAndClose(&grpc162.Response{Payload: binary.BigEndian.AppendUint32(nil, sum), Index: n})
}

// Repeat answers with Count messages of Size bytes. The request's payload is the number of the call.
func (echo) Repeat(in *grpc162.Request, s grpc.ServerStreamingServer[grpc162.Response]) error {
	for i := range in.Count {
		m := &grpc162.Response{Index: i, Payload: payload(binary.BigEndian.Uint32(in.Payload), int(i), int(in.Size))}
		if err := s.Send(m); err != nil {
			return err
		}
	}
	return linger(s.Context(), in.Text)
}

func (echo) Chat(s grpc.BidiStreamingServer[grpc162.Request, grpc162.Response]) error {
	for i, text := int32(0), ""; ; i++ {
		in, err := s.Recv()
		if err == io.EOF {
			return linger(s.Context(), text)
		}
		if err != nil {
			return err
		}
		text = in.Text
		if err := s.Send(&grpc162.Response{Index: i, Payload: in.Payload}); err != nil {
			return err
		}
	}
}

// linger waits for the duration that a request asks for.
func linger(ctx context.Context, text string) error {
	if text == "" {
		return nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		d = time.Hour
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// payload returns the n bytes of message number i of a call: they differ from those of other messages and from their neighbours.
func payload(call uint32, i, n int) []byte {
	b := make([]byte, n)
	for j := range b {
		b[j] = byte(int(call)*31 + i*17 + j*7 + j>>8 + 1)
	}
	return b
}

// A wrongAnswer says that a call delivered what was not sent.
type wrongAnswer struct{ text string }

func (w *wrongAnswer) Error() string { return w.text }

func wrongf(format string, args ...any) error { return &wrongAnswer{fmt.Sprintf(format, args...)} }

// isWrong reports whether err says that what came was wrong.
func isWrong(err error) bool {
	var w *wrongAnswer
	return errors.As(err, &w)
}

// A call says what is sent.
type call struct {
	id       uint32
	messages int
	size     int    // bytes of each message
	text     string // for linger
	pipeline bool   // Chat does not wait for an answer before it sends on
	opts     []grpc.CallOption
}

// A kind is one of the four kinds of methods.
type kind struct {
	name string
	run  func(context.Context, grpc162.EchoClient, call) error
}

var kinds = []kind{{"unary", unary}, {"client stream", collect}, {"server stream", repeat}, {"bidirectional stream", chat}}

func unary(ctx context.Context, c grpc162.EchoClient, k call) error {
	want := payload(k.id, 0, k.size)
	out, err := c.Unary(ctx, &grpc162.Request{Payload: want, Text: k.text}, k.opts...)
	if err == nil && !slices.Equal(out.Payload, want) {
		return wrongf("answer of %d bytes differs from the request of %d", len(out.Payload), len(want))
	}
	return err
}

func collect(ctx context.Context, c grpc162.EchoClient, k call) error {
	s, err := c.Collect(ctx, k.opts...)
	if err != nil {
		return err
	}
	sum := uint32(0)
	for i := range k.messages {
		p := payload(k.id, i, k.size)
		sum = crc32.Update(sum, crc32.IEEETable, p)
		if err := s.Send(&grpc162.Request{Payload: p, Text: k.text}); err == io.EOF {
			break // CloseAndRecv says why
		} else if err != nil {
			return err
		}
	}
	out, err := s.CloseAndRecv()
	switch {
	case err != nil:
		return err
	case int(out.Index) != k.messages || !slices.Equal(out.Payload, binary.BigEndian.AppendUint32(nil, sum)):
		return wrongf("server collected %d messages with the checksum %x, want %d, %x", out.Index, out.Payload, k.messages, sum)
	}
	return nil
}

func repeat(ctx context.Context, c grpc162.EchoClient, k call) error {
	in := &grpc162.Request{Payload: binary.BigEndian.AppendUint32(nil, k.id), Size: int32(k.size), Count: int32(k.messages), Text: k.text}
	s, err := c.Repeat(ctx, in, k.opts...)
	if err != nil {
		return err
	}
	return k.receive(s, k.messages)
}

// receive receives n answers, or all there are if n is the number of messages, and checks them.
func (k call) receive(s interface {
	Recv() (*grpc162.Response, error)
}, n int) error {
	for i := 0; ; i++ {
		out, err := s.Recv()
		switch {
		case err == io.EOF && i == n:
			return nil
		case err == io.EOF:
			return wrongf("call ended well after %d messages, want %d", i, n)
		case err != nil:
			return err
		case i == n || int(out.Index) != i || !slices.Equal(out.Payload, payload(k.id, i, k.size)):
			return wrongf("message %d of %d: got number %d of %d bytes, want others", i, n, out.Index, len(out.Payload))
		}
	}
}

func chat(ctx context.Context, c grpc162.EchoClient, k call) error {
	s, err := c.Chat(ctx, k.opts...)
	if err != nil {
		return err
	}
	if k.pipeline {
		sent := make(chan error, 1)
		go func() { sent <- k.send(s) }() // ends with the call
		err := k.receive(s, k.messages)
		return errors.Join(<-sent, err)
	}
	for i := range k.messages {
		p := payload(k.id, i, k.size)
		if err := s.Send(&grpc162.Request{Payload: p, Text: k.text}); err != nil && err != io.EOF {
			return err
		}
		switch out, err := s.Recv(); {
		case err == io.EOF:
			return wrongf("call ended well after %d messages, want %d", i, k.messages)
		case err != nil:
			return err
		case int(out.Index) != i || !slices.Equal(out.Payload, p):
			return wrongf("message %d: got number %d of %d bytes, want the one that was sent", i, out.Index, len(out.Payload))
		}
	}
	if err := s.CloseSend(); err != nil {
		return err
	}
	if _, err := s.Recv(); err != io.EOF {
		return err
	}
	return nil
}

// send sends all messages. That the call is over by then is no error: the receiver hears why.
func (k call) send(s grpc.BidiStreamingClient[grpc162.Request, grpc162.Response]) error {
	for i := range k.messages {
		if err := s.Send(&grpc162.Request{Payload: payload(k.id, i, k.size), Text: k.text}); err != nil {
			if err == io.EOF {
				return nil
			}
			return err
		}
	}
	return s.CloseSend()
}
