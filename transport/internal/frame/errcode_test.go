// Tests of the names and numbers of error codes against RFC 9113 §7.

package frame

import "testing"

func TestErrCodeNumbersAndNames(t *testing.T) {
	for _, tt := range []struct {
		code   ErrCode
		number uint32
		name   string
	}{
		{NoError, 0, "NO_ERROR"}, {ProtocolError, 1, "PROTOCOL_ERROR"}, {InternalError, 2, "INTERNAL_ERROR"},
		{FlowControlError, 3, "FLOW_CONTROL_ERROR"}, {SettingsTimeout, 4, "SETTINGS_TIMEOUT"}, {StreamClosed, 5, "STREAM_CLOSED"},
		{SizeError, 6, "FRAME_SIZE_ERROR"}, {RefusedStream, 7, "REFUSED_STREAM"}, {Cancel, 8, "CANCEL"},
		{CompressionError, 9, "COMPRESSION_ERROR"}, {ConnectError, 10, "CONNECT_ERROR"}, {EnhanceYourCalm, 11, "ENHANCE_YOUR_CALM"},
		{InadequateSecurity, 12, "INADEQUATE_SECURITY"}, {HTTP11Required, 13, "HTTP_1_1_REQUIRED"},
		{14, 14, "unknown error code 0xe"}, {1<<32 - 1, 1<<32 - 1, "unknown error code 0xffffffff"},
	} {
		if uint32(tt.code) != tt.number || tt.code.String() != tt.name {
			t.Errorf("code %d: got %d, %q, want %d, %q", tt.number, uint32(tt.code), tt.code, tt.number, tt.name)
		}
	}
}
