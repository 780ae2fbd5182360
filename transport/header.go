// A header block as gRPC sees it: which field means what, which fields are metadata, which make a block malformed
// (RFC 9113 §8.2-8.3, gRPC over HTTP/2). And back: metadata as fields, validated at the one place that all of it passes.

package transport

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/net/http2/hpack"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
)

// A head is a decoded header block. It is immutable once decoded, and shared by all streams that received the same block.
type head struct {
	parsed

	once sync.Once // guards md
	md   metadata.MD
}

// parsed is the part of a head that is filled field by field.
type parsed struct {
	method, scheme, path, authority, status                         string
	contentType, userAgent, encoding, acceptEncoding, timeout, host string
	grpcStatus, grpcMessage, contentLength                          string
	fields                                                          []hpack.HeaderField // metadata, in order of arrival
	size                                                            uint64              // bytes, by the measure of RFC 9113 §6.5.2
	coded                                                           int                 // bytes of the block as it came
	hasStatus                                                       bool
	hasTimeout                                                      bool // an empty grpc-timeout is malformed, none is not
	badLength                                                       bool // content-length is empty, or has several values
	hosts                                                           int
	pseudo                                                          uint8  // which pseudo-headers were seen
	regular                                                         bool   // whether a regular field was seen
	malformed                                                       string // why the block is malformed, "" if it is not
	badBinary, badValue                                             string // the first -bin field that cannot be decoded, and the start of its value
	badReason                                                       error  // why badBinary cannot be decoded
}

// maxAcceptEncoding is how many bytes of repeated grpc-accept-encoding fields are joined: joining all takes quadratic time.
const maxAcceptEncoding = 1 << 10

const (
	sawMethod = 1 << iota
	sawScheme
	sawPath
	sawAuthority
	sawStatus
)

// add takes the next field of the block.
func (p *parsed) add(f hpack.HeaderField) {
	p.size += uint64(f.Size())
	if p.malformed != "" {
		return // a reason for each of many fields would cost more than they do
	}
	if strings.HasPrefix(f.Name, ":") {
		p.addPseudo(f)
		return
	}
	p.regular = true
	if why := fieldFault(f.Name, f.Value); why != "" {
		p.fault(why)
		return
	}
	switch f.Name {
	case "content-type":
		if _, ok := ContentSubtype(p.contentType); !ok { // the first that is gRPC's counts
			p.contentType = f.Value
		}
	case "user-agent":
		p.userAgent = f.Value
	case "grpc-encoding":
		p.encoding = f.Value
	case "grpc-accept-encoding":
		switch {
		case p.acceptEncoding == "":
			p.acceptEncoding = f.Value
		case len(p.acceptEncoding)+len(f.Value) < maxAcceptEncoding:
			p.acceptEncoding += "," + f.Value
		}
		p.fields = append(p.fields, f)
	case "grpc-timeout":
		p.timeout, p.hasTimeout = f.Value, true
	case "grpc-status":
		p.grpcStatus, p.hasStatus = f.Value, true
	case "grpc-message":
		p.grpcMessage = f.Value
	case "host":
		p.host = f.Value
		p.hosts++
	case "content-length":
		p.badLength = p.badLength || f.Value == "" || p.contentLength != "" && p.contentLength != f.Value
		p.contentLength = f.Value
		p.fields = append(p.fields, f)
	case "te":
		if f.Value != "trailers" {
			p.fault("te other than trailers")
		}
	case "grpc-message-type":
	case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade":
		p.fault("connection-specific field " + f.Name)
	default:
		if strings.HasSuffix(f.Name, binSuffix) && p.badBinary == "" {
			if err := checkBinary(f.Value); err != nil {
				p.badBinary, p.badValue, p.badReason = f.Name, f.Value[:min(len(f.Value), maxQuoted)], err
			}
		}
		p.fields = append(p.fields, f)
	}
}

func (p *parsed) addPseudo(f hpack.HeaderField) {
	var bit uint8
	switch f.Name {
	case ":method":
		bit, p.method = sawMethod, f.Value
	case ":scheme":
		bit, p.scheme = sawScheme, f.Value
	case ":path":
		bit, p.path = sawPath, f.Value
	case ":authority":
		bit, p.authority = sawAuthority, f.Value
	case ":status":
		bit, p.status = sawStatus, f.Value
	default:
		p.fault("unknown pseudo-header field")
		return
	}
	switch {
	case p.regular:
		p.fault("pseudo-header field " + f.Name + " behind a regular field")
	case p.pseudo&bit != 0:
		p.fault("pseudo-header field " + f.Name + " twice")
	case valueFault(f.Value):
		p.fault("illegal byte in the value of " + f.Name)
	}
	p.pseudo |= bit
}

// fault notes the first reason why the block is malformed.
func (p *parsed) fault(why string) {
	if p.malformed == "" {
		p.malformed = why
	}
}

// requestFault returns why the block cannot open a request, "" if it can (RFC 9113 §8.3.1).
func (p *parsed) requestFault() string {
	switch {
	case p.malformed != "":
		return p.malformed
	case p.pseudo&sawStatus != 0:
		return ":status in a request"
	case p.pseudo&sawMethod == 0:
		return "no :method"
	case p.pseudo&sawScheme == 0:
		return "no :scheme"
	case p.path == "":
		return "no :path, or an empty one"
	case p.badLength, p.contentLength != "" && p.length() < 0:
		return "content-length that is no number"
	}
	return ""
}

// trailerFault returns why the block cannot end a message body, "" if it can (RFC 9113 §8.1).
func (p *parsed) trailerFault() string {
	if p.malformed == "" && p.pseudo != 0 {
		return "pseudo-header field in trailers"
	}
	return p.malformed
}

// length returns the value of content-length, or -1 if there is none that is a number.
func (p *parsed) length() int64 {
	if p.contentLength == "" {
		return -1
	}
	n, err := strconv.ParseUint(p.contentLength, 10, 63)
	if err != nil {
		return -1
	}
	return int64(n)
}

// metadata returns the metadata of the block. It is shared: nobody may change it.
func (h *head) metadata() metadata.MD {
	h.once.Do(func() {
		md := make(metadata.MD, len(h.fields)+3)
		for _, f := range h.fields {
			if !strings.HasSuffix(f.Name, binSuffix) {
				md[f.Name] = append(md[f.Name], f.Value)
				continue
			}
			for v := range strings.SplitSeq(f.Value, ",") {
				if b, err := decodeBinary(v); err == nil {
					md[f.Name] = append(md[f.Name], string(b))
				}
			}
		}
		switch {
		case h.pseudo&sawAuthority != 0:
			md[":authority"] = []string{h.authority}
		case h.hosts > 0 && h.pseudo&sawMethod != 0:
			md[":authority"] = []string{h.host} // RFC 9113 §8.3.1; gRFC A41
		case h.hosts > 0:
			md["host"] = []string{h.host}
		}
		if _, ok := ContentSubtype(h.contentType); ok {
			md["content-type"] = []string{h.contentType}
		}
		if h.userAgent != "" {
			md["user-agent"] = []string{h.userAgent}
		}
		h.md = md
	})
	return h.md
}

const baseContentType = "application/grpc"

// ContentSubtype returns the part of a gRPC content-type behind "application/grpc", lower-cased; ok tells whether it is one.
func ContentSubtype(contentType string) (subtype string, ok bool) {
	rest, ok := strings.CutPrefix(contentType, baseContentType)
	if !ok || rest != "" && rest[0] != '+' && rest[0] != ';' {
		return "", false
	}
	return strings.ToLower(rawSubtype(contentType)), true
}

// rawSubtype returns the part of a gRPC content-type behind "application/grpc" and a separator as it is.
func rawSubtype(contentType string) string {
	if len(contentType) <= len(baseContentType) {
		return ""
	}
	return contentType[len(baseContentType)+1:]
}

// contentTypeOf returns the content-type of a subtype.
func contentTypeOf(subtype string) string {
	if subtype == "" {
		return baseContentType
	}
	return baseContentType + "+" + subtype
}

// isReserved reports whether a field of this name is the protocol's own and so never taken from metadata.
func isReserved(name string) bool {
	switch name {
	case "content-type", "user-agent", "grpc-message-type", "grpc-encoding", "grpc-message", "grpc-status", "grpc-timeout", "te":
		return true
	case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "content-length":
		return true // they would make the message malformed (RFC 9113 §8.1.1, §8.2.2)
	}
	return strings.HasPrefix(name, ":")
}

// nameBytes tells for each byte whether it may stand in a field name: the tokens of RFC 9110 §5.6.2, without capitals.
var nameBytes = func() (ok [256]bool) {
	for _, c := range []byte("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz") {
		ok[c] = true
	}
	return ok
}()

// fieldFault returns why a field is malformed, "" if it is not (RFC 9113 §8.2.1). It never quotes the value.
func fieldFault(name, value string) string {
	if nameFault(name) {
		return fmt.Sprintf("invalid header field name %q", name[:min(len(name), maxQuoted)])
	}
	if valueFault(value) {
		return fmt.Sprintf("invalid header field value for %q", name[:min(len(name), maxQuoted)])
	}
	return ""
}

func nameFault(name string) bool {
	for i := range len(name) {
		if !nameBytes[name[i]] {
			return true
		}
	}
	return name == ""
}

func valueFault(v string) bool {
	for i := range len(v) {
		if c := v[i]; c == 0 || c == '\r' || c == '\n' {
			return true
		}
	}
	return false
}

// controlFault reports whether a value has control characters, which do not belong into a field (RFC 9110 §5.5).
func controlFault(v string) bool {
	for i := range len(v) {
		if c := v[i]; c < ' ' && c != '\t' || c == 0x7f {
			return true
		}
	}
	return false
}

// binSuffix marks metadata whose values are arbitrary bytes, base64-encoded on the wire.
const binSuffix = "-bin"

func encodeBinary(v string) string { return base64.RawStdEncoding.EncodeToString([]byte(v)) }

// decodeBinary accepts padded and unpadded values.
func decodeBinary(v string) ([]byte, error) {
	if len(v)%4 == 0 {
		return base64.StdEncoding.DecodeString(v)
	}
	return base64.RawStdEncoding.DecodeString(v)
}

// maxQuoted is how many bytes of a bad value are quoted to its sender.
const maxQuoted = 64

// checkBinary returns why one of the comma-separated values cannot be decoded, nil if all can. It does not keep the result.
func checkBinary(values string) error {
	var scratch [1024]byte
	for v := range strings.SplitSeq(values, ",") {
		if len(v)%4 == 0 { // as decodeBinary has it
			v = strings.TrimSuffix(strings.TrimSuffix(v, "="), "=")
		}
		for len(v) > 0 {
			n := min(len(v), len(scratch))
			if _, err := base64.RawStdEncoding.Decode(scratch[:], []byte(v[:n])); err != nil {
				return err
			}
			v = v[n:]
		}
	}
	return nil
}

// appendMetadata appends md and the pairs in added as fields, in the form that they have on the wire. Reserved names are left
// out. What may not stand in a header is an error.
func appendMetadata(fields []hpack.HeaderField, md metadata.MD, added [][]string) ([]hpack.HeaderField, error) {
	var err error
	for k, vs := range md {
		for _, v := range vs {
			if fields, err = appendField(fields, k, v); err != nil {
				return nil, err
			}
		}
	}
	for _, pairs := range added {
		for i := 0; i+1 < len(pairs); i += 2 {
			if fields, err = appendField(fields, strings.ToLower(pairs[i]), pairs[i+1]); err != nil {
				return nil, err
			}
		}
	}
	return fields, nil
}

// ValidateMetadata returns why some of the metadata may not stand in a header, nil if all of it may.
func ValidateMetadata(md metadata.MD, added [][]string) error {
	for k, vs := range md {
		for _, v := range vs {
			if err := ValidatePair(k, v); err != nil {
				return err
			}
		}
	}
	for _, pairs := range added {
		for i := 0; i+1 < len(pairs); i += 2 {
			if err := ValidatePair(strings.ToLower(pairs[i]), pairs[i+1]); err != nil {
				return err
			}
		}
	}
	return nil
}

func appendField(fields []hpack.HeaderField, k, v string) ([]hpack.HeaderField, error) {
	if isReserved(k) {
		return fields, nil
	}
	if nameFault(k) {
		return nil, streamErrorf(codes.Internal, "invalid header field name %q", k)
	}
	if strings.HasSuffix(k, binSuffix) {
		v = encodeBinary(v)
	} else if controlFault(v) {
		return nil, streamErrorf(codes.Internal, "invalid header field value for %q", k)
	}
	return append(fields, hpack.HeaderField{Name: k, Value: v}), nil
}

// ValidatePair returns why the pair cannot be metadata: keys have at least one byte of [0-9a-z-_.]; values are printable ASCII
// unless the key ends in "-bin" (gRPC over HTTP/2, "Custom-Metadata").
func ValidatePair(k, v string) error {
	if k == "" {
		return fmt.Errorf("there is an empty key in the header")
	}
	if k[0] == ':' {
		return nil // reserved: it is never sent
	}
	for i := range len(k) {
		c := k[i]
		if !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '.' && c != '-' && c != '_' {
			return fmt.Errorf("header key %q contains illegal characters not in [0-9a-z-_.]", k)
		}
	}
	if strings.HasSuffix(k, binSuffix) {
		return nil
	}
	for i := range len(v) {
		if v[i] < 0x20 || v[i] > 0x7e {
			return fmt.Errorf("header key %q contains value with non-printable ASCII characters", k)
		}
	}
	return nil
}
