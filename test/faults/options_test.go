// What channels and servers of the scenarios are told beside the faults: options that change how calls go over the wire, and credentials.

package faults

import (
	"crypto/tls"
	"math/rand/v2"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/internal/testkit"
	"google.golang.org/grpc/keepalive"
)

// options are those of a channel and a server.
type options struct {
	client []grpc.DialOption
	server []grpc.ServerOption
	names  []string
}

// retry is a service config that has calls tried again.
const retry = `{"methodConfig": [{"name": [{}], "retryPolicy": {"maxAttempts": 4, "initialBackoff": "0.01s", "maxBackoff": "0.1s",
	"backoffMultiplier": 2, "retryableStatusCodes": ["UNAVAILABLE"]}}]}`

// waits is the name of the option with which Stop waits for handlers, and for the goroutines that may start them.
const waits = "Stop waits for handlers"

// narrow is the name of the option with which a server takes two streams at a time.
const narrow = "two streams at a time"

// randomOptions draws options: none of them changes what calls may end with.
func randomOptions(rng *rand.Rand) (o options) {
	for _, c := range []struct {
		name   string
		client grpc.DialOption
		server grpc.ServerOption
	}{
		{narrow, nil, grpc.MaxConcurrentStreams(2)},
		{"windows of 100000 bytes", grpc.WithInitialWindowSize(100_000), grpc.InitialWindowSize(100_000)},
		{"windows that do not grow", grpc.WithStaticStreamWindowSize(65535), grpc.StaticStreamWindowSize(65535)},
		{"no read buffers", grpc.WithReadBufferSize(0), grpc.ReadBufferSize(0)},
		{"no write buffers", grpc.WithWriteBufferSize(0), grpc.WriteBufferSize(0)},
		{"small write buffers", grpc.WithWriteBufferSize(1), grpc.WriteBufferSize(1)},
		{"write buffers that are kept", grpc.WithSharedWriteBuffer(false), grpc.SharedWriteBuffer(false)},
		{"gzip", grpc.WithDefaultCallOptions(grpc.UseCompressor(gzip.Name)), nil},
		{"retries", grpc.WithDefaultServiceConfig(retry), nil},
		{"two workers", nil, grpc.NumStreamWorkers(2)},
		{waits, nil, grpc.WaitForHandlers(true)},
		{"no HPACK table", nil, grpc.HeaderTableSize(0)},
	} {
		if rng.IntN(5) > 0 {
			continue
		}
		o.names = append(o.names, c.name)
		if c.client != nil {
			o.client = append(o.client, c.client)
		}
		if c.server != nil {
			o.server = append(o.server, c.server)
		}
	}
	return o
}

const (
	pingTime    = 10 * time.Second
	pingTimeout = 2 * time.Second
)

// keepaliveOptions have the client look after its connections while it has calls.
func keepaliveOptions() options {
	return options{
		names:  []string{"keepalive"},
		client: []grpc.DialOption{grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: pingTime, Timeout: pingTimeout})},
		server: []grpc.ServerOption{grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: pingTime / 2})},
	}
}

// tlsServer and tlsClient are the credentials of scenarios with TLS.
var tlsServer, tlsClient credentials.TransportCredentials

// needTLS makes the credentials, which takes a while.
func needTLS(tb testing.TB) {
	if tlsServer != nil {
		return
	}
	ca := testkit.NewCA(tb)
	leaf := ca.Server(tb, "faults")
	tlsServer = credentials.NewServerTLSFromCert(&leaf)
	tlsClient = credentials.NewTLS(&tls.Config{RootCAs: ca.Pool, ServerName: "faults"})
}

func (s *scenario) credentials() (server, client credentials.TransportCredentials) {
	if s.secure {
		return tlsServer, tlsClient
	}
	return insecure.NewCredentials(), insecure.NewCredentials()
}
