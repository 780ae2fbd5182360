// The frames of the read goroutine that carry neither headers nor data: RST_STREAM, PRIORITY, PING, WINDOW_UPDATE, SETTINGS, GOAWAY
// (RFC 9113 §6.3-6.9).

package transport

import "google.golang.org/grpc/transport/internal/frame"

// onFixed takes the frames of fixed size.
func (c *conn) onFixed(h frame.Header) error {
	if err := frame.CheckFixed(h); err != nil {
		return err
	}
	p, err := c.read.frames.Payload()
	if err != nil {
		return err
	}
	switch h.Type {
	case frame.RSTStream:
		return c.onReset(h.StreamID, frame.ParseRSTStream(p))
	case frame.WindowUpdate:
		return c.onWindowUpdate(h.StreamID, frame.ParseWindowUpdate(p))
	case frame.Ping:
		return c.onPing(h.Flags.Has(frame.Ack), [8]byte(p))
	}
	return c.onPriority(h, p)
}

// onPriority ignores priorities but for what makes them wrong (RFC 9113 §5.3.2, §6.3).
func (c *conn) onPriority(h frame.Header, p []byte) error {
	code := frame.NoError
	switch {
	case len(p) != 5:
		code = frame.SizeError
	case frame.PriorityDependency(p) == h.StreamID:
		code = frame.ProtocolError
	default:
		return nil
	}
	if s := c.stream(h.StreamID); s != nil {
		c.abort(s, code, "malformed PRIORITY")
		return nil
	}
	return faultf(code, "malformed PRIORITY on stream %d", h.StreamID)
}

// onReset takes a RST_STREAM (RFC 9113 §6.4).
func (c *conn) onReset(id uint32, code frame.ErrCode) error {
	s := c.stream(id)
	if s == nil {
		if c.role.idle(id) {
			return faultf(frame.ProtocolError, "RST_STREAM on idle stream %d", id)
		}
		return nil
	}
	c.mu.Lock()
	there := s.state != streamClosed
	_ = c.advanceLocked(s, recvReset) // never illegal
	c.unlock()
	if there {
		s.side.aborted(abort{code: code, byPeer: true, unprocessed: code == frame.RefusedStream})
	}
	return nil
}

// onWindowUpdate takes a WINDOW_UPDATE (RFC 9113 §6.9).
func (c *conn) onWindowUpdate(id, increment uint32) error {
	if id == 0 {
		if increment == 0 {
			return faultf(frame.ProtocolError, "WINDOW_UPDATE of 0 bytes on the connection")
		}
		c.mu.Lock()
		err := c.send.window.grow(increment)
		c.unlock()
		if err != nil {
			return faultf(frame.FlowControlError, "WINDOW_UPDATE on the connection: %v", err)
		}
		return nil
	}
	s := c.stream(id)
	if s == nil {
		if c.role.idle(id) {
			return faultf(frame.ProtocolError, "WINDOW_UPDATE on idle stream %d", id)
		}
		return nil
	}
	if increment == 0 {
		c.abort(s, frame.ProtocolError, "WINDOW_UPDATE of 0 bytes")
		return nil
	}
	s.renewed.Store(true)
	c.mu.Lock()
	err := c.growLocked(s, increment)
	c.unlock()
	if err != nil {
		c.abort(s, frame.FlowControlError, err.Error())
	}
	return nil
}

func (c *conn) onPing(ack bool, data [8]byte) error {
	if ack {
		if data == linkPing {
			c.measured()
		} else {
			c.role.pingAck(data)
		}
		return nil
	}
	c.mu.Lock()
	spoke, idle := c.send.spoke, len(c.streams) == 0
	c.send.spoke = false // what follows the acknowledgement makes it true
	before := len(c.send.buf)
	c.send.buf = frame.AppendPing(c.send.buf, frame.Ack, data)
	c.caused(before)
	return c.role.ping(spoke, idle)
}

// onSettings takes a SETTINGS frame (RFC 9113 §6.5).
func (c *conn) onSettings(h frame.Header) error {
	if err := frame.CheckSettings(h); err != nil {
		return err
	}
	p, err := c.read.frames.Payload()
	if err != nil {
		return err
	}
	if h.Flags.Has(frame.Ack) {
		if !c.read.settled {
			return faultf(frame.ProtocolError, "first frame is an acknowledgement of SETTINGS, want SETTINGS")
		}
		return nil
	}
	c.read.settled = true
	maxStreams := int64(-1)
	c.mu.Lock()
	before := len(c.send.buf)
	err = frame.ParseSettings(p, func(s frame.Setting) error {
		if why := c.role.settingFault(s); why != "" {
			return faultf(frame.ProtocolError, "%s", why)
		}
		switch s.ID {
		case frame.MaxConcurrentStreams:
			maxStreams = int64(s.Value)
			return nil
		case frame.InitialWindowSize:
			return c.setInitialLocked(int64(s.Value))
		}
		c.send.apply(s)
		return nil
	})
	c.send.buf = frame.AppendSettingsAck(c.send.buf)
	c.caused(before)
	if err != nil {
		return err
	}
	c.role.settings(maxStreams)
	return nil
}

// maxWindowChecks is how often the windows of all streams are looked at because of SETTINGS, so that a peer cannot make these costly. One
// that makes more of it necessary has broken no rule yet; if it does so later, it harms nobody.
const maxWindowChecks = 100

// setInitialLocked takes over the peer's SETTINGS_INITIAL_WINDOW_SIZE. It changes the windows of all streams at once, since each stream holds
// only how far its own is from it; they are looked at one by one only if one may have become too large (RFC 9113 §6.9.2).
func (c *conn) setInitialLocked(size int64) error {
	d := &c.send
	if int64(d.widest)+size > frame.MaxWindow && d.checks < maxWindowChecks {
		d.checks++
		d.widest = 0
		for _, s := range c.streams {
			d.widest = max(d.widest, s.out.window)
		}
		if w := int64(d.widest) + size; w > frame.MaxWindow {
			return faultf(frame.FlowControlError, "SETTINGS_INITIAL_WINDOW_SIZE of %d makes a window of %d bytes, limit %d", size, w, frame.MaxWindow)
		}
	}
	if size > d.initial { // a smaller one lets nobody send
		d.unblock()
	}
	d.initial = size
	return nil
}

func (c *conn) onGoAway(h frame.Header) error {
	p, err := c.read.frames.Payload()
	if err != nil {
		return err
	}
	lastID, code, debug, err := frame.ParseGoAway(h, p)
	if err != nil {
		return err
	}
	return c.role.peerGoAway(lastID, code, debug)
}
