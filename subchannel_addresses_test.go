// Tests of new addresses for a subchannel in each of its states.

package grpc

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/resolver"
)

func TestNewAddressesOfAnIdleSubchannelAreForTheNextAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSubchannelTest(t)
		s.dialer.set("b", serveRaw(t, nil).lis.DialContext)
		sc := s.subchannel(t, "a")
		sc.UpdateAddresses(addressList("b"))
		s.want(t)
		s.connect(sc)
		s.want(t, "a CONNECTING", "a READY")
		s.dialer.wantDialed(t, "b")
	})
}

func TestNewAddressesOfAFailedSubchannelWaitForTheBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSubchannelTest(t)
		sc := s.subchannel(t, "a")
		s.connect(sc)
		sc.UpdateAddresses(addressList("b"))
		s.want(t, "a CONNECTING", "a TRANSIENT_FAILURE"+refusedText)
		pass(time.Second)
		s.want(t, "a IDLE")
		s.connect(sc)
		s.dialer.wantDialed(t, "a", "b")
	})
}

func TestNewAddressesEndTheAttemptUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSubchannelTest(t)
		s.dialer.set("a", hang)
		s.dialer.set("b", serveRaw(t, nil).lis.DialContext)
		sc := s.subchannel(t, "a")
		s.connect(sc)
		s.want(t, "a CONNECTING")
		sc.UpdateAddresses(addressList("a")) // no change
		s.want(t)
		sc.UpdateAddresses(addressList("b"))
		s.want(t, "a IDLE", "a CONNECTING", "a READY")
		s.dialer.wantDialed(t, "a", "b")
	})
}

func TestConnectionOfAnAttemptThatWasGivenUpIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSubchannelTest(t)
		raw := serveRaw(t, nil)
		s.dialer.set("a", raw.lis.DialContext)
		s.dialer.set("b", hang)
		sc := s.subchannel(t, "a")
		block := make(chan struct{})
		s.cc.live.Load().queue.Run(func() { sc.connect(); <-block; sc.setAddresses(addressList("b")) })
		conn := <-raw.conns
		synctest.Wait() // connected, but the queue does not know
		close(block)
		s.want(t, "a CONNECTING", "a IDLE", "a CONNECTING")
		if _, err := conn.nc.Write([]byte{0}); err == nil {
			t.Error("the connection is still open")
		}
		wantEqual(t, "connections that are kept", s.kept(sc), 0)
	})
}

func TestConnectionToOneOfTheNewAddressesStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSubchannelTest(t)
		s.dialer.set("a", serveRaw(t, nil).lis.DialContext)
		sc := s.subchannel(t, "a", "b")
		s.connect(sc)
		c := sc.ready.Load()
		sc.UpdateAddresses(addressList("c", "a"))
		s.want(t, "a CONNECTING", "a READY")
		wantEqual(t, "connection", sc.ready.Load(), c)
	})
}

func TestConnectionToAnOldAddressIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSubchannelTest(t)
		s.dialer.set("a", serveRaw(t, nil).lis.DialContext)
		s.dialer.set("b", serveRaw(t, nil).lis.DialContext)
		sc := s.subchannel(t, "a")
		s.connect(sc)
		sc.UpdateAddresses(addressList("b"))
		s.want(t, "a CONNECTING", "a READY", "a IDLE", "a CONNECTING", "a READY")
		wantEqual(t, "address of the connection", sc.ready.Load().address.Addr, "b")
		wantEqual(t, "connections that are kept", s.kept(sc), 1)
	})
}

func TestAddressesThatDifferInAttributesAreDifferent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSubchannelTest(t)
		lis := serveRaw(t, nil).lis
		s.dialer.set("a", lis.DialContext)
		sc := s.subchannel(t, "a")
		s.connect(sc)
		sc.UpdateAddresses([]resolver.Address{{Addr: "a", ServerName: "other"}})
		s.want(t, "a CONNECTING", "a READY", "a IDLE", "a CONNECTING", "a READY")
		wantEqual(t, "authority of calls", sc.ready.Load().authority, "other")
	})
}

func TestPolicyMayUpdateAndRemoveThroughTheChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSubchannelTest(t)
		s.dialer.set("b", serveRaw(t, nil).lis.DialContext)
		sc := s.subchannel(t, "a")
		cc := s.policy.current().cc
		cc.UpdateAddresses(sc, addressList("b"))
		s.connect(sc)
		s.want(t, "a CONNECTING", "a READY")
		cc.RemoveSubConn(sc)
		s.want(t, "a SHUTDOWN")
		wantEqual(t, "subchannels that are left", s.remaining(), 0)
	})
}

func TestAddressesOfASubchannelAreItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSubchannelTest(t)
		s.dialer.set("b", func(context.Context) (net.Conn, error) { return nil, errRefused })
		sc := s.subchannel(t, "a")
		list := addressList("b")
		sc.UpdateAddresses(list)
		list[0].Addr = "changed later"
		s.connect(sc)
		s.dialer.wantDialed(t, "b")
	})
}
