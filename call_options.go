// The options of a call. Each is a struct, so that interceptors can look at it.

package grpc

import (
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/internal/option"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// CallOption is an option of a call: of one, or with WithDefaultCallOptions of all calls of a channel. Where two contradict each
// other, the later one counts.
type CallOption interface {
	// before sets what the option is about, before the call begins.
	before(*callInfo) error
	// after reports what the option asked for, when the call is over. a is the last attempt, nil if there was none.
	after(c *callInfo, a *attempt)
}

// callInfo is what the options of a call come to.
type callInfo struct {
	waitForReady *bool // nil if the call leaves it to the service config
	maxReceive   int   // bytes; -1 if not set
	maxSend      int   // bytes; -1 if not set
	retryBuffer  int   // bytes; -1 if not set
	compressor   string
	subtype      string
	codec        messageCodec
	creds        credentials.PerRPCCredentials
	authority    string
	onFinish     []func(error)
	accept       []string // the compressors whose answers the call accepts; empty for all
}

// use applies an option.
func (c *callInfo) use(o CallOption) error {
	if other, ok := o.(option.ForCall); ok {
		set := option.Call{Accept: c.accept}
		if err := other.SetCall(&set); err != nil {
			return err
		}
		c.accept = set.Accept
	}
	return o.before(c)
}

// noCallInfo is what no options come to.
var noCallInfo = callInfo{maxReceive: -1, maxSend: -1, retryBuffer: -1}

// EmptyCallOption does nothing. It can be embedded in options of one's own, which interceptors understand.
type EmptyCallOption struct{}

func (EmptyCallOption) before(*callInfo) error    { return nil }
func (EmptyCallOption) after(*callInfo, *attempt) {}

// Header returns an option that stores the metadata of the response headers in *md, when a unary call is over.
func Header(md *metadata.MD) CallOption { return HeaderCallOption{HeaderAddr: md} }

// HeaderCallOption is what Header returns.
//
// Experimental: the type may change.
type HeaderCallOption struct {
	HeaderAddr *metadata.MD
}

func (o HeaderCallOption) before(*callInfo) error { return nil }
func (o HeaderCallOption) after(_ *callInfo, a *attempt) {
	if a != nil {
		*o.HeaderAddr = a.header()
	}
}

// Trailer returns an option that stores the metadata that came with the status in *md, when a unary call is over.
func Trailer(md *metadata.MD) CallOption { return TrailerCallOption{TrailerAddr: md} }

// TrailerCallOption is what Trailer returns.
//
// Experimental: the type may change.
type TrailerCallOption struct {
	TrailerAddr *metadata.MD
}

func (o TrailerCallOption) before(*callInfo) error { return nil }
func (o TrailerCallOption) after(_ *callInfo, a *attempt) {
	if a != nil {
		*o.TrailerAddr = a.trailer()
	}
}

// Peer returns an option that stores in *p who answered, when a unary call is over.
func Peer(p *peer.Peer) CallOption { return PeerCallOption{PeerAddr: p} }

// PeerCallOption is what Peer returns.
//
// Experimental: the type may change.
type PeerCallOption struct {
	PeerAddr *peer.Peer
}

func (o PeerCallOption) before(*callInfo) error { return nil }
func (o PeerCallOption) after(_ *callInfo, a *attempt) {
	if a != nil {
		if p := a.peer(); p != nil {
			*o.PeerAddr = *p
		}
	}
}

// WaitForReady returns an option that makes the call wait as long as the channel cannot connect. By default, it fails at once with
// the code Unavailable. Neither concerns a channel that is still connecting, for which both wait.
func WaitForReady(waitForReady bool) CallOption { return FailFastCallOption{FailFast: !waitForReady} }

// FailFast is the opposite of WaitForReady.
//
// Deprecated: use WaitForReady.
func FailFast(failFast bool) CallOption { return FailFastCallOption{FailFast: failFast} }

// FailFastCallOption is what WaitForReady and FailFast return.
//
// Experimental: the type may change.
type FailFastCallOption struct {
	FailFast bool
}

func (o FailFastCallOption) before(c *callInfo) error {
	c.waitForReady = new(bool)
	*c.waitForReady = !o.FailFast
	return nil
}
func (FailFastCallOption) after(*callInfo, *attempt) {}

// OnFinish returns an option that calls onFinish when the call is over, once, with the error that the call ended with. It is called
// also if the call cannot begin.
//
// Experimental: the function may change.
func OnFinish(onFinish func(err error)) CallOption { return OnFinishCallOption{OnFinish: onFinish} }

// OnFinishCallOption is what OnFinish returns.
//
// Experimental: the type may change.
type OnFinishCallOption struct {
	OnFinish func(error)
}

func (o OnFinishCallOption) before(c *callInfo) error {
	c.onFinish = append(c.onFinish, o.OnFinish)
	return nil
}
func (OnFinishCallOption) after(*callInfo, *attempt) {}

// MaxCallRecvMsgSize returns an option that limits the size of each message that the call receives, in bytes after decompression. By
// default, that is 4 MiB.
func MaxCallRecvMsgSize(bytes int) CallOption {
	return MaxRecvMsgSizeCallOption{MaxRecvMsgSize: bytes}
}

// MaxRecvMsgSizeCallOption is what MaxCallRecvMsgSize returns.
//
// Experimental: the type may change.
type MaxRecvMsgSizeCallOption struct {
	MaxRecvMsgSize int // bytes
}

func (o MaxRecvMsgSizeCallOption) before(c *callInfo) error {
	c.maxReceive = max(o.MaxRecvMsgSize, 0)
	return nil
}
func (MaxRecvMsgSizeCallOption) after(*callInfo, *attempt) {}

// MaxCallSendMsgSize returns an option that limits the size of each message that the call sends, in bytes after compression. By
// default, that is 2 GiB.
func MaxCallSendMsgSize(bytes int) CallOption {
	return MaxSendMsgSizeCallOption{MaxSendMsgSize: bytes}
}

// MaxSendMsgSizeCallOption is what MaxCallSendMsgSize returns.
//
// Experimental: the type may change.
type MaxSendMsgSizeCallOption struct {
	MaxSendMsgSize int // bytes
}

func (o MaxSendMsgSizeCallOption) before(c *callInfo) error {
	c.maxSend = max(o.MaxSendMsgSize, 0)
	return nil
}
func (MaxSendMsgSizeCallOption) after(*callInfo, *attempt) {}

// PerRPCCredentials returns an option that adds credentials to those of the channel.
func PerRPCCredentials(creds credentials.PerRPCCredentials) CallOption {
	return PerRPCCredsCallOption{Creds: creds}
}

// PerRPCCredsCallOption is what PerRPCCredentials returns.
//
// Experimental: the type may change.
type PerRPCCredsCallOption struct {
	Creds credentials.PerRPCCredentials
}

func (o PerRPCCredsCallOption) before(c *callInfo) error {
	c.creds = o.Creds
	return nil
}
func (PerRPCCredsCallOption) after(*callInfo, *attempt) {}

// UseCompressor returns an option that compresses the messages that the call sends, by the compressor that is registered under name.
// If there is none, the call fails with the code Internal. WithCompressor is of no effect then. Messages of no bytes stay as they are.
//
// Experimental: the function may change.
func UseCompressor(name string) CallOption { return CompressorCallOption{CompressorType: name} }

// CompressorCallOption is what UseCompressor returns.
//
// Experimental: the type may change.
type CompressorCallOption struct {
	CompressorType string
}

func (o CompressorCallOption) before(c *callInfo) error {
	c.compressor = o.CompressorType
	return nil
}
func (CompressorCallOption) after(*callInfo, *attempt) {}

// CallContentSubtype returns an option that sets the content-subtype, lower-cased, of a call, and with it the codec that is
// registered under that name, unless ForceCodec or the like set another one. If there is no codec, the call fails with the code
// Internal.
func CallContentSubtype(contentSubtype string) CallOption {
	return ContentSubtypeCallOption{ContentSubtype: strings.ToLower(contentSubtype)}
}

// ContentSubtypeCallOption is what CallContentSubtype returns.
//
// Experimental: the type may change.
type ContentSubtypeCallOption struct {
	ContentSubtype string
}

func (o ContentSubtypeCallOption) before(c *callInfo) error {
	c.subtype = o.ContentSubtype
	return nil
}
func (ContentSubtypeCallOption) after(*callInfo, *attempt) {}

// ForceCodec returns an option that sets the codec of a call. Its name, lower-cased, becomes the content-subtype unless
// CallContentSubtype set another one.
//
// Experimental: the function may change.
func ForceCodec(codec encoding.Codec) CallOption { return ForceCodecCallOption{Codec: codec} }

// ForceCodecCallOption is what ForceCodec returns.
//
// Experimental: the type may change.
type ForceCodecCallOption struct {
	Codec encoding.Codec
}

func (o ForceCodecCallOption) before(c *callInfo) error {
	c.codec = codecV1{o.Codec}
	c.setSubtype(o.Codec.Name())
	return nil
}
func (ForceCodecCallOption) after(*callInfo, *attempt) {}

// ForceCodecV2 returns an option that sets the codec of a call. Its name, lower-cased, becomes the content-subtype unless
// CallContentSubtype set another one.
//
// Experimental: the function may change.
func ForceCodecV2(codec encoding.CodecV2) CallOption { return ForceCodecV2CallOption{CodecV2: codec} }

// ForceCodecV2CallOption is what ForceCodecV2 returns.
//
// Experimental: the type may change.
type ForceCodecV2CallOption struct {
	CodecV2 encoding.CodecV2
}

func (o ForceCodecV2CallOption) before(c *callInfo) error {
	c.codec = newCodecV2(o.CodecV2)
	c.setSubtype(o.CodecV2.Name())
	return nil
}
func (ForceCodecV2CallOption) after(*callInfo, *attempt) {}

// CallCustomCodec returns an option that sets the codec of a call. Its name does not go on the wire.
//
// Deprecated: use ForceCodec.
func CallCustomCodec(codec Codec) CallOption { return CustomCodecCallOption{Codec: codec} }

// CustomCodecCallOption is what CallCustomCodec returns.
//
// Experimental: the type may change.
type CustomCodecCallOption struct {
	Codec Codec
}

func (o CustomCodecCallOption) before(c *callInfo) error {
	c.codec = codecV1{o.Codec}
	return nil
}
func (CustomCodecCallOption) after(*callInfo, *attempt) {}

// setSubtype sets the content-subtype that goes with a codec, if none was chosen.
func (c *callInfo) setSubtype(name string) {
	if c.subtype == "" {
		c.subtype = strings.ToLower(name)
	}
}

// MaxRetryRPCBufferSize returns an option that limits how many bytes of the messages that the call sends are kept, so that the call
// can be tried again. Beyond them it cannot. By default, that is 256 KiB.
//
// Experimental: the function may change.
func MaxRetryRPCBufferSize(bytes int) CallOption {
	return MaxRetryRPCBufferSizeCallOption{MaxRetryRPCBufferSize: bytes}
}

// MaxRetryRPCBufferSizeCallOption is what MaxRetryRPCBufferSize returns.
//
// Experimental: the type may change.
type MaxRetryRPCBufferSizeCallOption struct {
	MaxRetryRPCBufferSize int // bytes
}

func (o MaxRetryRPCBufferSizeCallOption) before(c *callInfo) error {
	c.retryBuffer = max(o.MaxRetryRPCBufferSize, 0)
	return nil
}
func (MaxRetryRPCBufferSizeCallOption) after(*callInfo, *attempt) {}

// CallAuthority returns an option that sets the :authority of a call. The credentials of the channel must be able to tell whether the
// server may use that name (credentials.AuthorityValidator); if they cannot, or it may not, the call fails with the code Unavailable.
//
// Experimental: the function may change.
func CallAuthority(authority string) CallOption {
	return AuthorityOverrideCallOption{Authority: authority}
}

// AuthorityOverrideCallOption is what CallAuthority returns.
//
// Experimental: the type may change.
type AuthorityOverrideCallOption struct {
	Authority string
}

func (o AuthorityOverrideCallOption) before(c *callInfo) error {
	c.authority = o.Authority
	return nil
}
func (AuthorityOverrideCallOption) after(*callInfo, *attempt) {}

// StaticMethod returns an option that says that the method of a call is one of a fixed set, as it is in generated code, so that
// metrics may name it.
//
// Experimental: the function may change.
func StaticMethod() CallOption { return StaticMethodCallOption{} }

// StaticMethodCallOption is what StaticMethod returns. Interceptors look for it.
//
// Experimental: the type may change.
type StaticMethodCallOption struct {
	EmptyCallOption
}

// resolve settles what the options leave open: the codec that goes with the content-subtype.
func (c *callInfo) resolve() error {
	if c.codec != nil {
		return nil
	}
	codec, err := codecForSubtype(c.subtype)
	if err != nil {
		return status.Error(codes.Internal, err.Error())
	}
	c.codec = codec
	return nil
}
