// Resolvers and service configs that a channel must bear: very many addresses, none, the same ones, at a high rate.

package hostile

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
)

// steered makes a channel whose resolver says what the test says. Only the address good leads to a server.
func steered(t *testing.T, config string) (*grpc.ClientConn, *manual.Resolver) {
	t.Helper()
	server := echoServer(t)
	r := manual.NewBuilderWithScheme("steered")
	r.InitialState(resolver.State{})
	cc, err := grpc.NewClient("steered:///x", grpc.WithResolvers(r), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(config), grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			if address != "good" {
				return nil, fmt.Errorf("nobody is at %s", address)
			}
			return new(net.Dialer).DialContext(ctx, "tcp", server)
		}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cc.Close() })
	cc.Connect()
	return cc, r
}

// addresses returns n addresses that lead nowhere.
func addresses(n int) []resolver.Address {
	a := make([]resolver.Address, n)
	for i := range a {
		a[i].Addr = fmt.Sprintf("bad-%d", i)
	}
	return a
}

const (
	pickFirst  = `{"loadBalancingConfig":[{"pick_first":{}}]}`
	roundRobin = `{"loadBalancingConfig":[{"round_robin":{}}]}`
)

// wantServed fails the test unless the channel makes a call.
func wantServed(t *testing.T, cc *grpc.ClientConn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := exchange(ctx, cc, grpc.WaitForReady(true)); err != nil {
		t.Fatalf("call: got %v, want OK (the channel is %v)", err, cc.GetState())
	}
}

func TestClientBearsVeryManyAddresses(t *testing.T) {
	cc, r := steered(t, pickFirst)
	many := append([]resolver.Address{{Addr: "good"}}, addresses(100_000)...)
	before := allocated()
	r.UpdateState(resolver.State{Addresses: many})
	wantServed(t, cc)
	if per := (allocated() - before) / uint64(len(many)); per > 4<<10 {
		t.Errorf("allocated %d bytes an address, want at most 4 KiB", per)
	}
	r.UpdateState(resolver.State{Addresses: many[:1]})
	wantServed(t, cc)
}

func TestClientBearsChangesOfAddresses(t *testing.T) {
	for _, config := range []string{pickFirst, roundRobin} {
		t.Run(config, func(t *testing.T) {
			cc, r := steered(t, config)
			random := rand.New(rand.NewPCG(1, 2))
			bad := addresses(20)
			for i := range 1000 {
				list := append([]resolver.Address(nil), bad[:random.IntN(len(bad))]...)
				if random.IntN(2) == 0 {
					list = append(list, resolver.Address{Addr: "good"})
				}
				if len(list) > 0 && random.IntN(4) == 0 {
					list = append(list, list[0], list[0]) // again
				}
				random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
				switch random.IntN(8) {
				case 0:
					r.CC().ReportError(fmt.Errorf("error %d", i))
				case 1:
					r.UpdateState(resolver.State{Endpoints: []resolver.Endpoint{{}, {Addresses: list}, {Addresses: list}}})
				default:
					r.UpdateState(resolver.State{Addresses: list})
				}
			}
			r.UpdateState(resolver.State{Addresses: []resolver.Address{{Addr: "good"}, {Addr: "good"}}})
			wantServed(t, cc)
			r.UpdateState(resolver.State{})
			for state := cc.GetState(); state != connectivity.TransientFailure; state = cc.GetState() {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				if !cc.WaitForStateChange(ctx, state) {
					t.Fatalf("without addresses, the channel is %v, want TRANSIENT_FAILURE", state)
				}
				cancel()
			}
			r.UpdateState(resolver.State{Addresses: []resolver.Address{{Addr: "good"}}})
			wantServed(t, cc)
		})
	}
}
