// Tests of the security levels and of what contexts carry.

package credentials

import (
	"context"
	"testing"

	"google.golang.org/grpc/attributes"
)

func TestSecurityLevelString(t *testing.T) {
	for level, want := range map[SecurityLevel]string{
		-1: "invalid SecurityLevel: -1", InvalidSecurityLevel: "invalid SecurityLevel: 0", NoSecurity: "NoSecurity",
		IntegrityOnly: "IntegrityOnly", PrivacyAndIntegrity: "PrivacyAndIntegrity", 4: "invalid SecurityLevel: 4",
	} {
		if got := level.String(); got != want {
			t.Errorf("SecurityLevel(%d).String(): got %q, want %q", int(level), got, want)
		}
	}
}

// oldInfo is an AuthInfo of before there were levels.
type oldInfo struct{}

func (oldInfo) AuthType() string { return "old" }

func TestCheckSecurityLevel(t *testing.T) {
	at := func(l SecurityLevel) AuthInfo { return TLSInfo{CommonAuthInfo: CommonAuthInfo{SecurityLevel: l}} }
	for _, tt := range []struct {
		info AuthInfo
		want SecurityLevel
		err  string
	}{
		{nil, NoSecurity, "AuthInfo is nil"},
		{oldInfo{}, PrivacyAndIntegrity, ""},
		{at(InvalidSecurityLevel), PrivacyAndIntegrity, ""},
		{at(NoSecurity), InvalidSecurityLevel, ""},
		{at(NoSecurity), NoSecurity, ""},
		{at(NoSecurity), IntegrityOnly, "requires SecurityLevel IntegrityOnly; connection has NoSecurity"},
		{at(IntegrityOnly), IntegrityOnly, ""},
		{at(IntegrityOnly), PrivacyAndIntegrity, "requires SecurityLevel PrivacyAndIntegrity; connection has IntegrityOnly"},
		{at(PrivacyAndIntegrity), PrivacyAndIntegrity, ""},
		{at(-1), NoSecurity, "requires SecurityLevel NoSecurity; connection has invalid SecurityLevel: -1"},
	} {
		got := ""
		if err := CheckSecurityLevel(tt.info, tt.want); err != nil {
			got = err.Error()
		}
		if got != tt.err {
			t.Errorf("CheckSecurityLevel(%v, %v): got %q, want %q", tt.info, tt.want, got, tt.err)
		}
	}
}

func TestRequestInfoInContext(t *testing.T) {
	ctx := context.Background()
	if got, ok := RequestInfoFromContext(ctx); ok || got != (RequestInfo{}) {
		t.Errorf("empty context: got %v, %v, want none", got, ok)
	}
	want := RequestInfo{Method: "/a.B/C", AuthInfo: oldInfo{}}
	if got, ok := RequestInfoFromContext(NewContextWithRequestInfo(ctx, want)); !ok || got != want {
		t.Errorf("got %v, %v, want %v", got, ok, want)
	}
}

func TestClientHandshakeInfoInContext(t *testing.T) {
	ctx := context.Background()
	if got := ClientHandshakeInfoFromContext(ctx); got.Attributes != nil {
		t.Errorf("empty context: got %v, want none", got)
	}
	want := ClientHandshakeInfo{Attributes: attributes.New("key", "value")}
	if got := ClientHandshakeInfoFromContext(NewContextWithClientHandshakeInfo(ctx, want)); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}
