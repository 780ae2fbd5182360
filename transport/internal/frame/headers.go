// HEADERS, CONTINUATION and PUSH_PROMISE frames (RFC 9113 §6.2, §6.6, §6.10).

package frame

// ParseHeaders returns the fragment of the header block in a HEADERS frame, and the stream that its priority depends on
// (0 if it carries none).
func ParseHeaders(h Header, p []byte) (fragment []byte, dependency uint32, err error) {
	if err := onStream(h); err != nil {
		return nil, 0, err
	}
	pad := 0
	if h.Flags.Has(Padded) {
		if len(p) < 1 {
			return nil, 0, errorf(SizeError, "padded HEADERS of 0 bytes")
		}
		pad, p = int(p[0]), p[1:]
	}
	if h.Flags.Has(HasPrio) {
		if len(p) < 5 {
			return nil, 0, errorf(SizeError, "HEADERS of %d bytes without room for its priority", h.Length)
		}
		dependency, p = PriorityDependency(p), p[5:]
	}
	if pad > len(p) {
		return nil, 0, errorf(ProtocolError, "HEADERS of %d bytes with %d bytes of padding", h.Length, pad)
	}
	return p[:len(p)-pad], dependency, nil
}

// AppendHeaderBlock appends a HEADERS frame with the given block, and as many CONTINUATION frames as a block longer than
// maxSize bytes needs. Of the flags, EndStream may be given.
func AppendHeaderBlock(b []byte, id uint32, f Flags, block []byte, maxSize int) []byte {
	t := Headers
	for {
		part := block
		if len(part) > maxSize {
			part = part[:maxSize]
		}
		block = block[len(part):]
		if len(block) == 0 {
			f |= EndHeaders
		}
		b = append(AppendHeader(b, t, f, id, len(part)), part...)
		if len(block) == 0 {
			return b
		}
		t, f = Continuation, 0
	}
}
