// What transport security and per-call credentials look like to gRPC: the interfaces, the levels of security, and what a context carries
// to them. The TLS implementation is in tls.go; the ones without cryptography are in the packages insecure and local.

// Package credentials defines how a connection is secured (TransportCredentials) and how a call proves who makes it
// (PerRPCCredentials), and implements the first by TLS.
package credentials

import (
	"context"
	"errors"
	"fmt"
	"net"

	"google.golang.org/grpc/attributes"
	"google.golang.org/protobuf/proto"
)

// PerRPCCredentials adds security information, such as a token, to every call. Its methods may be called by any number of goroutines.
type PerRPCCredentials interface {
	// GetRequestMetadata returns the metadata for one call, fetching or refreshing it if need be. uri is the service that is called, as
	// https://host/package.Service. ctx ends with the call and holds its RequestInfo. An error that is a status, with one of the codes
	// that gRFC A54 allows, becomes the status of the call.
	GetRequestMetadata(ctx context.Context, uri ...string) (map[string]string, error)
	// RequireTransportSecurity reports whether the metadata may only be sent on connections with privacy and integrity.
	RequireTransportSecurity() bool
}

// TransportCredentials secures connections by a handshake. Its methods may be called by any number of goroutines, but OverrideServerName.
type TransportCredentials interface {
	// ClientHandshake secures rawConn for a client and returns the connection to use from then on, which closes rawConn when it is
	// closed, and what is known of the server. authority is what calls on the connection send as :authority, and the name that the
	// server has to prove. The handshake ends when ctx does; ctx holds a ClientHandshakeInfo. gRPC tries again after an error that is
	// io.EOF, context.DeadlineExceeded or has a method Temporary that returns true.
	ClientHandshake(ctx context.Context, authority string, rawConn net.Conn) (net.Conn, AuthInfo, error)
	// ServerHandshake is the same for a server, which bounds it by a deadline on rawConn.
	ServerHandshake(rawConn net.Conn) (net.Conn, AuthInfo, error)
	// Info describes the protocol.
	Info() ProtocolInfo
	// Clone returns an independent copy.
	Clone() TransportCredentials
	// OverrideServerName sets the ServerName in Info, which is the default authority of channels with these credentials.
	//
	// Deprecated: use grpc.WithAuthority.
	OverrideServerName(string) error
}

// ErrConnDispatched is returned by a ServerHandshake that has handed rawConn to somebody else: gRPC does not close it then.
var ErrConnDispatched = errors.New("credentials: rawConn is dispatched out of gRPC")

// ProtocolInfo describes TransportCredentials, not one of their connections.
type ProtocolInfo struct {
	// ProtocolVersion is not used.
	//
	// Deprecated: it says nothing.
	ProtocolVersion string
	// SecurityProtocol names the protocol: "tls", "insecure", "local" or another.
	SecurityProtocol string
	// SecurityVersion is a fixed text, not the version that a connection negotiated.
	//
	// Deprecated: use the AuthInfo of the peer.
	SecurityVersion string
	// ServerName, unless empty, is the :authority of calls on channels that are not given one by grpc.WithAuthority.
	//
	// Deprecated: use grpc.WithAuthority.
	ServerName string
}

// Bundle is transport and per-call credentials that belong together, in one of several modes.
//
// It is experimental.
type Bundle interface {
	// TransportCredentials is not nil: a bundle without transport security returns insecure.NewCredentials().
	TransportCredentials() TransportCredentials
	// PerRPCCredentials may be nil.
	PerRPCCredentials() PerRPCCredentials
	// NewWithMode returns a copy in another mode. An unknown mode gives nil.
	NewWithMode(mode string) (Bundle, error)
}

// SecurityLevel is what a connection protects from others on the wire. The zero value means that it is not known.
//
// It is experimental.
type SecurityLevel int

const (
	// InvalidSecurityLevel is the level of credentials that do not say one.
	InvalidSecurityLevel SecurityLevel = iota
	// NoSecurity means that others can read and change what is sent.
	NoSecurity
	// IntegrityOnly means that others can read what is sent, but a change is noticed.
	IntegrityOnly
	// PrivacyAndIntegrity means that others can neither read what is sent nor change it unnoticed.
	PrivacyAndIntegrity
)

// String returns the name of the level.
func (s SecurityLevel) String() string {
	switch s {
	case NoSecurity:
		return "NoSecurity"
	case IntegrityOnly:
		return "IntegrityOnly"
	case PrivacyAndIntegrity:
		return "PrivacyAndIntegrity"
	}
	return fmt.Sprintf("invalid SecurityLevel: %d", int(s))
}

// AuthInfo is what a handshake has found out about the peer. Implementations embed CommonAuthInfo.
type AuthInfo interface {
	// AuthType names the protocol.
	AuthType() string
}

// CommonAuthInfo is the part that every AuthInfo has.
//
// It is experimental.
type CommonAuthInfo struct {
	SecurityLevel SecurityLevel
}

// GetCommonAuthInfo returns c.
func (c CommonAuthInfo) GetCommonAuthInfo() CommonAuthInfo { return c }

// AuthorityValidator is an AuthInfo that can tell whether the peer may be called by another name than the one of the handshake. Without it
// the call option CallAuthority is refused.
type AuthorityValidator interface {
	// ValidateAuthority returns an error unless the peer has proved to be authority, which may have a port.
	ValidateAuthority(authority string) error
}

// CheckSecurityLevel returns an error unless the connection that ai describes has at least the given level. An AuthInfo that does not
// say its level passes, since those of before 2020 could not.
//
// It is experimental.
func CheckSecurityLevel(ai AuthInfo, level SecurityLevel) error {
	if ai == nil {
		return errors.New("AuthInfo is nil")
	}
	common, ok := ai.(interface{ GetCommonAuthInfo() CommonAuthInfo })
	if !ok {
		return nil
	}
	got := common.GetCommonAuthInfo().SecurityLevel
	if got != InvalidSecurityLevel && got < level {
		return fmt.Errorf("requires SecurityLevel %v; connection has %v", level, got)
	}
	return nil
}

// RequestInfo describes the call for which GetRequestMetadata is asked.
//
// It is experimental.
type RequestInfo struct {
	// Method is the full method, "/package.Service/Method".
	Method string
	// AuthInfo is what the handshake of the connection returned.
	AuthInfo AuthInfo
}

type requestInfoKey struct{}

// NewContextWithRequestInfo returns a context with ri. gRPC gives such a context to GetRequestMetadata; others need it only in tests.
//
// It is experimental.
func NewContextWithRequestInfo(ctx context.Context, ri RequestInfo) context.Context {
	return context.WithValue(ctx, requestInfoKey{}, ri)
}

// RequestInfoFromContext returns the RequestInfo in ctx, and whether there is one.
//
// It is experimental.
func RequestInfoFromContext(ctx context.Context) (ri RequestInfo, ok bool) {
	ri, ok = ctx.Value(requestInfoKey{}).(RequestInfo)
	return ri, ok
}

// ClientHandshakeInfo is what a resolver or balancer has to say to the handshake with one address.
//
// It is experimental.
type ClientHandshakeInfo struct {
	// Attributes are those of the address. Each implementation of credentials defines the ones that it understands.
	Attributes *attributes.Attributes
}

type clientHandshakeInfoKey struct{}

// NewContextWithClientHandshakeInfo returns a context with chi, for ClientHandshake. It is for gRPC itself, and for tests of credentials.
//
// It is experimental.
func NewContextWithClientHandshakeInfo(ctx context.Context, chi ClientHandshakeInfo) context.Context {
	return context.WithValue(ctx, clientHandshakeInfoKey{}, chi)
}

// ClientHandshakeInfoFromContext returns the ClientHandshakeInfo in ctx; an empty one if there is none.
//
// It is experimental.
func ClientHandshakeInfoFromContext(ctx context.Context) ClientHandshakeInfo {
	chi, _ := ctx.Value(clientHandshakeInfoKey{}).(ClientHandshakeInfo)
	return chi
}

// ChannelzSecurityInfo is an AuthInfo that channelz can show.
//
// It is experimental.
type ChannelzSecurityInfo interface {
	GetSecurityValue() ChannelzSecurityValue
}

// ChannelzSecurityValue is a *TLSChannelzSecurityValue or an *OtherChannelzSecurityValue.
//
// It is experimental.
type ChannelzSecurityValue interface {
	channelzSecurityValue()
}

// TLSChannelzSecurityValue describes a connection with TLS.
//
// It is experimental.
type TLSChannelzSecurityValue struct {
	ChannelzSecurityValue
	// StandardName is the IANA name of the cipher suite.
	StandardName string
	// LocalCertificate and RemoteCertificate are the leaf certificates in DER, or empty.
	LocalCertificate  []byte
	RemoteCertificate []byte
}

// OtherChannelzSecurityValue describes a connection with another protocol. Whoever may query channelz sees the Value.
//
// It is experimental.
type OtherChannelzSecurityValue struct {
	ChannelzSecurityValue
	Name  string
	Value proto.Message
}
