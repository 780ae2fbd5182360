// DATA frames (RFC 9113 §6.1). Their payload is not parsed here but read piece by piece, straight to where it belongs.

package frame

// CheckData checks the stream of a DATA frame and that padding leaves room for its own length.
func CheckData(h Header) error {
	if err := onStream(h); err != nil {
		return err
	}
	if h.Flags.Has(Padded) && h.Length == 0 {
		return errorf(SizeError, "padded DATA of 0 bytes")
	}
	return nil
}

// DataLen returns how many bytes of data a padded DATA frame has, given its pad length.
func DataLen(h Header, padLen byte) (int, error) {
	n := h.Length - 1 - int(padLen)
	if n < 0 {
		return 0, errorf(ProtocolError, "DATA of %d bytes with %d bytes of padding", h.Length, padLen)
	}
	return n, nil
}
