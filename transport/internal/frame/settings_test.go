// Tests of SETTINGS frames: RFC 9113 §6.5.

package frame

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

func TestCheckSettings(t *testing.T) {
	for _, tt := range []struct {
		h    Header
		want ErrCode
	}{
		{Header{0, Settings, 0, 0}, ok},
		{Header{6, Settings, 0, 0}, ok},
		{Header{600, Settings, 0xfe, 0}, ok},
		{Header{0, Settings, Ack, 0}, ok},
		{Header{6, Settings, Ack, 0}, SizeError},
		{Header{1, Settings, Ack, 0}, SizeError},
		{Header{1, Settings, 0, 0}, SizeError},
		{Header{5, Settings, 0, 0}, SizeError},
		{Header{7, Settings, 0, 0}, SizeError},
		{Header{601, Settings, 0, 0}, SizeError},
		{Header{606, Settings, 0, 0}, EnhanceYourCalm},
		{Header{6, Settings, 0, 1}, ProtocolError},
		{Header{0, Settings, Ack, 3}, ProtocolError},
	} {
		if got := codeOf(t, CheckSettings(tt.h)); got != tt.want {
			t.Errorf("CheckSettings(%v): got %v, want %v", tt.h, got, tt.want)
		}
	}
}

func TestParseSettingsChecksValues(t *testing.T) {
	for _, tt := range []struct {
		s    Setting
		want ErrCode
	}{
		{Setting{HeaderTableSize, 0}, ok}, {Setting{HeaderTableSize, 1<<32 - 1}, ok},
		{Setting{EnablePush, 0}, ok}, {Setting{EnablePush, 1}, ok}, {Setting{EnablePush, 2}, ProtocolError}, {Setting{EnablePush, 1<<32 - 1}, ProtocolError},
		{Setting{MaxConcurrentStreams, 0}, ok}, {Setting{MaxConcurrentStreams, 1<<32 - 1}, ok},
		{Setting{InitialWindowSize, 0}, ok}, {Setting{InitialWindowSize, MaxWindow}, ok}, {Setting{InitialWindowSize, MaxWindow + 1}, FlowControlError},
		{Setting{MaxFrameSize, DefaultMaxSize}, ok}, {Setting{MaxFrameSize, LargestMaxSize}, ok},
		{Setting{MaxFrameSize, 0}, ProtocolError}, {Setting{MaxFrameSize, 100}, ProtocolError}, {Setting{MaxFrameSize, DefaultMaxSize - 1}, ProtocolError},
		{Setting{MaxFrameSize, LargestMaxSize + 1}, ProtocolError},
		{Setting{MaxHeaderListSize, 0}, ok}, {Setting{MaxHeaderListSize, 1<<32 - 1}, ok},
		{Setting{0, 1<<32 - 1}, ok}, {Setting{8, 7}, ok}, {Setting{0xffff, 1<<32 - 1}, ok},
	} {
		got, err := parseSettings(AppendSettings(nil, []Setting{tt.s})[HeaderLen:])
		if code := codeOf(t, err); code != tt.want {
			t.Errorf("ParseSettings of %v: got %v, want %v", tt.s, code, tt.want)
		}
		if passed := len(got) == 1 && got[0] == tt.s; passed != (tt.want == ok) {
			t.Errorf("ParseSettings of %v: passed on %v", tt.s, got)
		}
	}
}

// parseSettings returns the entries up to the first wrong one.
func parseSettings(p []byte) (got []Setting, err error) {
	err = ParseSettings(p, func(s Setting) error { got = append(got, s); return nil })
	return got, err
}

func TestParseSettingsInOrderAndWithDuplicates(t *testing.T) {
	want := []Setting{{MaxFrameSize, 20000}, {0xaaaa, 5}, {InitialWindowSize, 1}, {MaxFrameSize, 30000}, {InitialWindowSize, 2}}
	got, err := parseSettings(AppendSettings(nil, want)[HeaderLen:])
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("ParseSettings: got %v, %v, want %v", got, err, want)
	}
}

func TestParseSettingsStopsAtTheFirstError(t *testing.T) {
	p := AppendSettings(nil, []Setting{{1, 1}, {2, 2}, {3, 3}})[HeaderLen:]
	if got, err := parseSettings(p); len(got) != 1 || codeOf(t, err) != ProtocolError {
		t.Errorf("wrong second entry: got %v, %v, want the first entry and PROTOCOL_ERROR", got, err)
	}
	calls, stop := 0, errors.New("stop")
	err := ParseSettings(AppendSettings(nil, []Setting{{1, 1}, {3, 3}})[HeaderLen:], func(Setting) error { calls++; return stop })
	if err != stop || calls != 1 {
		t.Errorf("ParseSettings whose function fails: got %v after %d calls, want %v after 1", err, calls, stop)
	}
}

func TestSettingsOnTheWire(t *testing.T) {
	for _, tt := range []struct {
		name string
		got  []byte
		want string
	}{
		{"empty", AppendSettings(nil, nil), "000000040000000000"},
		{"two", AppendSettings(nil, []Setting{{InitialWindowSize, 65536}, {MaxHeaderListSize, 8192}}), "00000c040000000000" + "000400010000" + "000600002000"},
		{"acknowledgement", AppendSettingsAck(nil), "000000040100000000"},
	} {
		if got := fmt.Sprintf("%x", tt.got); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}
