// The frames of fixed size: PRIORITY, RST_STREAM, PING and WINDOW_UPDATE (RFC 9113 §6.3, §6.4, §6.7, §6.9).

package frame

import "encoding/binary"

// CheckFixed checks the size and the stream of a PRIORITY, RST_STREAM, PING or WINDOW_UPDATE frame.
// A PRIORITY of the wrong size is a stream error, which is the caller's to answer: it passes here.
func CheckFixed(h Header) error {
	switch h.Type {
	case Priority:
		return onStream(h)
	case RSTStream:
		if err := onStream(h); err != nil {
			return err
		}
		return ofSize(h, 4)
	case WindowUpdate:
		return ofSize(h, 4)
	case Ping:
		if err := onConnection(h); err != nil {
			return err
		}
		return ofSize(h, 8)
	}
	return nil
}

func ofSize(h Header, n int) error {
	if h.Length != n {
		return errorf(SizeError, "%v of %d bytes, want %d", h.Type, h.Length, n)
	}
	return nil
}

// onStream refuses frames on stream 0 that belong to a stream.
func onStream(h Header) error {
	if h.StreamID == 0 {
		return errorf(ProtocolError, "%v on stream 0", h.Type)
	}
	return nil
}

// onConnection refuses frames on a stream that belong to the connection.
func onConnection(h Header) error {
	if h.StreamID != 0 {
		return errorf(ProtocolError, "%v on stream %d, want 0", h.Type, h.StreamID)
	}
	return nil
}

// PriorityDependency returns the stream that a PRIORITY frame, or the priority part of a HEADERS frame, depends on.
func PriorityDependency(p []byte) uint32 { return binary.BigEndian.Uint32(p) & (1<<31 - 1) }

// ParseRSTStream returns the error code of a RST_STREAM.
func ParseRSTStream(p []byte) ErrCode { return ErrCode(binary.BigEndian.Uint32(p)) }

// AppendRSTStream appends a RST_STREAM frame.
func AppendRSTStream(b []byte, id uint32, code ErrCode) []byte {
	return binary.BigEndian.AppendUint32(AppendHeader(b, RSTStream, 0, id, 4), uint32(code))
}

// ParseWindowUpdate returns the increment of a WINDOW_UPDATE, in bytes. Zero is an error, of the stream or of the connection.
func ParseWindowUpdate(p []byte) uint32 { return binary.BigEndian.Uint32(p) & (1<<31 - 1) }

// AppendWindowUpdate appends a WINDOW_UPDATE frame; stream 0 is the connection.
func AppendWindowUpdate(b []byte, id, increment uint32) []byte {
	return binary.BigEndian.AppendUint32(AppendHeader(b, WindowUpdate, 0, id, 4), increment)
}

// AppendPing appends a PING frame, or its acknowledgement.
func AppendPing(b []byte, f Flags, data [8]byte) []byte {
	return append(AppendHeader(b, Ping, f, 0, 8), data[:]...)
}
