// SETTINGS frames (RFC 9113 §6.5).

package frame

import "encoding/binary"

// A SettingID names a setting.
type SettingID uint16

// The settings of RFC 9113 §6.5.2. Others must be ignored.
const (
	HeaderTableSize      SettingID = 0x1
	EnablePush           SettingID = 0x2
	MaxConcurrentStreams SettingID = 0x3
	InitialWindowSize    SettingID = 0x4
	MaxFrameSize         SettingID = 0x5
	MaxHeaderListSize    SettingID = 0x6
)

// A Setting is one entry of a SETTINGS frame.
type Setting struct {
	ID    SettingID
	Value uint32
}

const settingLen = 6

// MaxSettings is the largest number of entries that a SETTINGS frame may have. The RFC names no limit; six settings exist.
const MaxSettings = 100

// CheckSettings checks the size and the stream of a SETTINGS frame.
func CheckSettings(h Header) error {
	if err := onConnection(h); err != nil {
		return err
	}
	switch {
	case h.Flags.Has(Ack):
		return ofSize(h, 0)
	case h.Length%settingLen != 0:
		return errorf(SizeError, "SETTINGS of %d bytes, want a multiple of %d", h.Length, settingLen)
	case h.Length > MaxSettings*settingLen:
		return errorf(EnhanceYourCalm, "SETTINGS with %d entries, limit %d", h.Length/settingLen, MaxSettings)
	}
	return nil
}

// ParseSettings calls f for each entry, in order, until f returns an error. It checks the values that the RFC limits.
func ParseSettings(p []byte, f func(Setting) error) error {
	for ; len(p) >= settingLen; p = p[settingLen:] {
		s := Setting{SettingID(binary.BigEndian.Uint16(p)), binary.BigEndian.Uint32(p[2:])}
		if err := s.check(); err != nil {
			return err
		}
		if err := f(s); err != nil {
			return err
		}
	}
	return nil
}

func (s Setting) check() error {
	switch s.ID {
	case EnablePush:
		if s.Value > 1 {
			return errorf(ProtocolError, "SETTINGS_ENABLE_PUSH of %d, want 0 or 1", s.Value)
		}
	case InitialWindowSize:
		if s.Value > MaxWindow {
			return errorf(FlowControlError, "SETTINGS_INITIAL_WINDOW_SIZE of %d, limit %d", s.Value, MaxWindow)
		}
	case MaxFrameSize:
		if s.Value < DefaultMaxSize || s.Value > LargestMaxSize {
			return errorf(ProtocolError, "SETTINGS_MAX_FRAME_SIZE of %d, want %d to %d", s.Value, DefaultMaxSize, LargestMaxSize)
		}
	}
	return nil
}

// AppendSettings appends a SETTINGS frame.
func AppendSettings(b []byte, settings []Setting) []byte {
	b = AppendHeader(b, Settings, 0, 0, len(settings)*settingLen)
	for _, s := range settings {
		b = binary.BigEndian.AppendUint16(b, uint16(s.ID))
		b = binary.BigEndian.AppendUint32(b, s.Value)
	}
	return b
}

// AppendSettingsAck appends the acknowledgement of a SETTINGS frame.
func AppendSettingsAck(b []byte) []byte { return AppendHeader(b, Settings, Ack, 0, 0) }
