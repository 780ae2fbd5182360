// FuzzReader: the same bytes through this package and through x/net's Framer, frame by frame.

package frame

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"

	"golang.org/x/net/http2"

	"google.golang.org/grpc/internal/testkit"
)

// fuzzMaxSize is the largest payload that both readers accept; small, so that inputs stay small.
const fuzzMaxSize = DefaultMaxSize

func FuzzReader(f *testing.F) {
	all := concat(
		AppendSettings(nil, []Setting{{InitialWindowSize, 1 << 20}, {MaxFrameSize, 20000}, {0xff, 1}}), AppendSettingsAck(nil),
		rawFrame(Headers, Padded|HasPrio|EndHeaders, 1, 2, 0, 0, 0, 3, 7, 'b', 'l', 'o', 'c', 'k', 0, 0),
		AppendHeaderBlock(nil, 3, EndStream, data(40), 16),
		rawFrame(Data, 0, 1, data(30)...), rawFrame(Data, Padded|EndStream, 1, 3, 'd', 'a', 't', 'a', 0, 0, 0),
		AppendWindowUpdate(nil, 0, 1000), AppendWindowUpdate(nil, 1, MaxWindow), AppendRSTStream(nil, 3, Cancel),
		AppendPing(nil, Ack, [8]byte{1, 2, 3}), rawFrame(Priority, 0, 5, 0x80, 0, 0, 1, 255), rawFrame(0x7f, 0xff, 9, data(20)...),
		AppendGoAway(nil, 7, EnhanceYourCalm, "too_many_pings"),
	)
	f.Add(all, uint8(0), uint8(0), uint8(0))
	f.Add(all, uint8(1), uint8(200), uint8(1))
	f.Add(all[:len(all)-5], uint8(7), uint8(20), uint8(2))
	for _, bad := range [][]byte{
		rawFrame(Data, 0, 0, 1), rawFrame(Data, Padded, 1), rawFrame(Data, Padded, 1, 1), rawFrame(Headers, 0, 0), rawFrame(Headers, Padded, 1, 1),
		rawFrame(Headers, HasPrio, 1, 0, 0, 0, 0), rawFrame(Priority, 0, 1, 0), rawFrame(RSTStream, 0, 0, 0, 0, 0, 0), rawFrame(RSTStream, 0, 1, 0),
		rawFrame(Settings, Ack, 0, data(6)...), rawFrame(Settings, 0, 0, data(7)...), rawFrame(Settings, 0, 1), AppendSettings(nil, []Setting{{EnablePush, 2}}),
		rawFrame(Settings, 0, 0, make([]byte, 606)...), rawFrame(PushPromise, 0, 1, data(9)...), rawFrame(Ping, 0, 1, data(8)...), rawFrame(Ping, 0, 0, data(9)...),
		rawFrame(GoAway, 0, 0, data(7)...), rawFrame(GoAway, 0, 1, data(8)...), AppendWindowUpdate(nil, 0, 0), AppendWindowUpdate(nil, 5, 0),
		rawFrame(WindowUpdate, 0, 0, 1), rawFrame(Continuation, 0, 0, 1), rawFrame(0x10, 0, 1), AppendHeader(nil, Data, 0, 1, fuzzMaxSize+1),
	} {
		f.Add(concat(AppendSettings(nil, nil), bad, AppendPing(nil, 0, [8]byte{})), uint8(4), uint8(64), uint8(3))
	}
	f.Fuzz(func(t *testing.T, wire []byte, step, ahead, way uint8) {
		testkit.LimitTime(t)
		pool := new(countingPool)
		ours := NewReader(inSteps(wire, 1+int(step)), pool, int(ahead), fuzzMaxSize)
		theirs := http2.NewFramer(nil, bytes.NewReader(wire))
		theirs.AllowIllegalReads = true // order of frames: a rule that depends on what came before
		theirs.SetMaxReadFrameSize(fuzzMaxSize)
		for compareFrame(t, ours, theirs, ways[int(way)%len(ways)].read) {
		}
		if ours.Close(); pool.out != 0 {
			t.Errorf("%d buffers are out after Close", pool.out)
		}
	})
}

// compareFrame reads the next frame from both. It reports whether there may be another one to compare.
func compareFrame(t *testing.T, ours *Reader, theirs *http2.Framer, read func(*Reader) ([]byte, error)) bool {
	h, got, err := readOurs(ours, read)
	f, theirErr := theirs.ReadFrame()
	want := ""
	if theirErr == nil {
		want, theirErr = describeTheirs(f)
	}
	switch {
	case differs(h):
		return false
	case err == nil && theirErr == nil && got != want:
		t.Fatalf("got  %s\nwant %s", got, want)
	case err == nil && theirErr != nil:
		t.Fatalf("got %s, want error %v", got, theirErr)
	case err != nil && theirErr == nil:
		t.Fatalf("got error %v of %v, want %s", err, h, want)
	case isEnd(err) && !isEnd(theirErr):
		t.Fatalf("got %v of %v, want error %v", err, h, theirErr)
	}
	return err == nil
}

// isEnd tells an end of the bytes from a fault in them. x/net calls some frames that are too short an end.
func isEnd(err error) bool { return err == io.EOF || err == io.ErrUnexpectedEOF }

// differs reports whether the two treat a frame differently on purpose.
func differs(h Header) bool {
	switch h.Type {
	case Settings:
		return h.Length > MaxSettings*settingLen // x/net knows no limit here
	case Priority:
		return h.Length != 5 // a stream error (RFC 9113 §6.3), which is left to the caller; x/net ends the connection
	case Continuation:
		return h.StreamID == 0 // the caller compares the stream with that of the HEADERS, which is never 0
	case PushPromise:
		return true // refused by the caller without a look at it
	case 0x10: // PRIORITY_UPDATE (RFC 9218), which is unknown here
		return true
	}
	return false
}

var errZero = &Error{ProtocolError, "WINDOW_UPDATE of 0"}

// readOurs reads and describes a frame.
func readOurs(r *Reader, read func(*Reader) ([]byte, error)) (h Header, text string, err error) {
	if h, err = r.Next(); err != nil {
		return h, "", err
	}
	switch h.Type {
	case Data:
		text, err = readData(r, h, read)
		return h, text, err
	case Settings:
		err = CheckSettings(h)
	case Priority, RSTStream, Ping, WindowUpdate:
		err = CheckFixed(h)
	}
	if err != nil {
		return h, "", err
	}
	p, err := read(r)
	if err == nil {
		text, err = describe(h, p)
	}
	return h, text, err
}

func readData(r *Reader, h Header, read func(*Reader) ([]byte, error)) (string, error) {
	if err := CheckData(h); err != nil {
		return "", err
	}
	n := h.Length
	if h.Flags.Has(Padded) {
		var pad [1]byte
		if err := r.ReadFull(pad[:]); err != nil {
			return "", err
		}
		var err error
		if n, err = DataLen(h, pad[0]); err != nil {
			return "", err
		}
	}
	p, err := read(r)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%v: %x", h, p[:n]), nil
}

// describe describes a frame other than DATA.
func describe(h Header, p []byte) (text string, err error) {
	switch h.Type {
	case Headers:
		fragment, dependency, err := ParseHeaders(h, p)
		return fmt.Sprintf("%v: %x on %d", h, fragment, dependency), err
	case Settings:
		text = h.String()
		err = ParseSettings(p, func(s Setting) error {
			text += fmt.Sprintf(" %d=%d", s.ID, s.Value)
			return nil
		})
		return text, err
	case GoAway:
		last, code, debug, err := ParseGoAway(h, p)
		return fmt.Sprintf("%v: %d, %d, %x", h, last, uint32(code), debug), err
	case RSTStream:
		return fmt.Sprintf("%v: %d", h, uint32(ParseRSTStream(p))), nil
	case WindowUpdate:
		n := ParseWindowUpdate(p)
		if n == 0 {
			return "", errZero // the caller's to answer; here it stands for that
		}
		return fmt.Sprintf("%v: %d", h, n), nil
	case Priority:
		if len(p) == 5 {
			return fmt.Sprintf("%v: on %d", h, PriorityDependency(p)), nil
		}
	}
	return fmt.Sprintf("%v: %x", h, p), nil
}

// describeTheirs describes a frame of x/net's in the same words.
func describeTheirs(f http2.Frame) (text string, err error) {
	fh := f.Header()
	h := Header{int(fh.Length), Type(fh.Type), Flags(fh.Flags), fh.StreamID}
	switch f := f.(type) {
	case *http2.DataFrame:
		text = fmt.Sprintf("%v: %x", h, f.Data())
	case *http2.HeadersFrame:
		text = fmt.Sprintf("%v: %x on %d", h, f.HeaderBlockFragment(), f.Priority.StreamDep)
	case *http2.PriorityFrame:
		text = fmt.Sprintf("%v: on %d", h, f.StreamDep)
	case *http2.RSTStreamFrame:
		text = fmt.Sprintf("%v: %d", h, uint32(f.ErrCode))
	case *http2.SettingsFrame:
		text = h.String()
		err = f.ForeachSetting(func(s http2.Setting) error {
			text += fmt.Sprintf(" %d=%d", s.ID, s.Val)
			if s.ID == http2.SettingEnableConnectProtocol {
				return nil // RFC 8441: unknown here
			}
			return s.Valid()
		})
	case *http2.PingFrame:
		text = fmt.Sprintf("%v: %x", h, f.Data)
	case *http2.GoAwayFrame:
		text = fmt.Sprintf("%v: %d, %d, %x", h, f.LastStreamID, uint32(f.ErrCode), f.DebugData())
	case *http2.WindowUpdateFrame:
		text = fmt.Sprintf("%v: %d", h, f.Increment)
	case *http2.ContinuationFrame:
		text = fmt.Sprintf("%v: %x", h, f.HeaderBlockFragment())
	case *http2.UnknownFrame:
		text = fmt.Sprintf("%v: %x", h, f.Payload())
	case *http2.PushPromiseFrame, *http2.PriorityUpdateFrame:
		// Not compared.
	default:
		err = errors.New("a frame of x/net's that this test does not know")
	}
	return text, err
}
