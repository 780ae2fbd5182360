// The header blocks that gRPC sends: a request's, and a response's headers and trailers (gRPC over HTTP/2, "Requests" and
// "Responses"). What does not vary from call to call is encoded once and then copied.

package transport

import (
	"encoding/base64"
	"strconv"
	"time"

	"golang.org/x/net/http2/hpack"

	"google.golang.org/grpc/codes"
)

// A requestHeader is what a client's HEADERS say.
type requestHeader struct {
	*CallHeader
	scheme, userAgent string
	timeout           time.Duration // 0 if there is no deadline
	fields            []hpack.HeaderField
}

// fieldOverhead is what each field adds to a header list beyond its name and value, in bytes (RFC 9113 §6.5.2).
const fieldOverhead = 32

// listSize returns the size in bytes of the header list, a little over at most.
func (h *requestHeader) listSize() uint64 {
	n := fieldSize(":method", "POST") + fieldSize(":scheme", h.scheme) + fieldSize(":path", h.Method) + fieldSize(":authority", h.Authority) +
		fieldSize("content-type", contentTypeOf(h.ContentSubtype)) + fieldSize("user-agent", h.userAgent) + fieldSize("te", "trailers")
	if h.SendCompress != "" {
		n += fieldSize("grpc-encoding", h.SendCompress)
	}
	if h.AcceptEncoding != "" {
		n += fieldSize("grpc-accept-encoding", h.AcceptEncoding)
	}
	if h.PreviousAttempts > 0 {
		n += fieldSize("grpc-previous-rpc-attempts", "9223372036854775807")
	}
	if !h.Deadline.IsZero() {
		n += fieldSize("grpc-timeout", "99999999n")
	}
	return n + listSize(h.fields)
}

func fieldSize(name, value string) uint64 { return uint64(len(name) + len(value) + fieldOverhead) }

func listSize(fields []hpack.HeaderField) uint64 {
	var n uint64
	for i := range fields {
		n += fieldSize(fields[i].Name, fields[i].Value)
	}
	return n
}

// request encodes a request. The block is valid until the next one. An error says that the request cannot be sent; then nothing has changed.
func (e *blockEncoder) request(h *requestHeader) ([]byte, error) {
	e.begin()
	c, ok := e.requests[h.Method]
	if ok && c.version == e.version && c.authority == h.Authority && c.subtype == h.ContentSubtype && c.encoding == h.SendCompress && c.accept == h.AcceptEncoding {
		e.out = append(e.out, c.block...)
	} else if name := h.fault(); name != "" {
		return nil, streamErrorf(codes.Internal, "invalid header field value for %q", name)
	} else {
		e.requestStart(h)
	}
	if h.PreviousAttempts > 0 {
		e.varying("grpc-previous-rpc-attempts", strconv.Itoa(h.PreviousAttempts))
	}
	if h.timeout != 0 {
		var b [12]byte
		e.literal("grpc-timeout", string(appendTimeout(b[:0], h.timeout)))
	}
	for _, f := range h.fields {
		e.varying(f.Name, f.Value)
	}
	return e.out, nil
}

// fault returns the first of the fields that all calls of a method share whose value no field may have, "" if there is none. Metadata is
// checked where it becomes fields.
func (h *requestHeader) fault() string {
	switch {
	case valueFault(h.Method):
		return ":path"
	case valueFault(h.Authority):
		return ":authority"
	case valueFault(h.ContentSubtype):
		return "content-type"
	case valueFault(h.userAgent):
		return "user-agent"
	case valueFault(h.SendCompress):
		return "grpc-encoding"
	case valueFault(h.AcceptEncoding):
		return "grpc-accept-encoding"
	}
	return ""
}

// requestStart encodes the fields that all calls of a method share.
func (e *blockEncoder) requestStart(h *requestHeader) {
	e.indexed(":method", "POST")
	e.indexed(":scheme", h.scheme)
	e.indexed(":path", h.Method)
	e.indexed(":authority", h.Authority)
	e.indexed("content-type", contentTypeOf(h.ContentSubtype))
	e.indexed("user-agent", h.userAgent)
	e.indexed("te", "trailers")
	if h.SendCompress != "" {
		e.indexed("grpc-encoding", h.SendCompress)
	}
	if h.AcceptEncoding != "" {
		e.indexed("grpc-accept-encoding", h.AcceptEncoding)
	}
	if !e.settle(0) {
		return
	}
	if e.requests == nil || len(e.requests) >= maxCachedBlocks {
		e.requests = make(map[string]requestBlock)
	}
	e.requests[h.Method] = requestBlock{h.Authority, h.ContentSubtype, h.SendCompress, h.AcceptEncoding, e.version, append([]byte(nil), e.out...)}
}

// response encodes the headers of a response. The block is valid until the next one.
func (e *blockEncoder) response(subtype, encoding string, fields []hpack.HeaderField) []byte {
	e.begin()
	if c := &e.header; c.version == e.version && c.subtype == subtype && c.encoding == encoding {
		e.out = append(e.out, c.block...)
	} else {
		e.indexed(":status", "200")
		e.indexed("content-type", contentTypeOf(subtype))
		if encoding != "" {
			e.indexed("grpc-encoding", encoding)
		}
		if e.settle(0) {
			e.header = responseBlock{subtype, encoding, e.version, append([]byte(nil), e.out...)}
		}
	}
	for _, f := range fields {
		e.varying(f.Name, f.Value)
	}
	return e.out
}

// trailers encodes the end of a response. If nothing was sent before, it is preceded by what response would have said.
func (e *blockEncoder) trailers(only bool, subtype string, st rpcStatus, fields []hpack.HeaderField) []byte {
	if only {
		e.response(subtype, "", nil)
	} else {
		e.begin()
	}
	at := len(e.out)
	switch c := &e.ok; {
	case st.code == codes.OK && st.message == "" && c.block != nil && c.version == e.version:
		e.out = append(e.out, c.block...)
	default:
		e.indexed("grpc-status", strconv.Itoa(int(st.code)))
		if st.message == "" {
			e.indexed("grpc-message", "")
		} else {
			e.varying("grpc-message", encodeMessage(st.message))
		}
		if e.settle(at) && st.code == codes.OK && st.message == "" {
			e.ok = responseBlock{version: e.version, block: append([]byte(nil), e.out[at:]...)}
		}
	}
	if st.details != "" {
		e.varying("grpc-status-details-bin", encodeBinary(st.details))
	}
	for _, f := range fields {
		e.varying(f.Name, f.Value)
	}
	return e.out
}

// refusal encodes a response that is nothing but a status. The block is valid until the next one.
func (e *blockEncoder) refusal(r *refusal) []byte {
	e.begin()
	e.indexed(":status", r.httpStatus)
	e.indexed("content-type", contentTypeOf(r.subtype))
	e.indexed("grpc-status", strconv.Itoa(int(r.status.code)))
	e.varying("grpc-message", encodeMessage(r.status.message))
	e.settle(0)
	return e.out
}

// listSize returns the size in bytes of the header list that the status takes, and of what precedes it if nothing else was sent.
func (s *rpcStatus) listSize() uint64 {
	return uint64(len(encodeMessage(s.message))+base64.RawStdEncoding.EncodedLen(len(s.details))) + 400 // 400: names, overhead, headers
}

// An rpcStatus is a status on its way to the wire.
type rpcStatus struct {
	code    codes.Code
	message string
	details string // a serialized google.rpc.Status, "" if there are no details
}
