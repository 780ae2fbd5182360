// How TLS credentials are made for both ends.

package credentials_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"

	"google.golang.org/grpc/credentials"
)

func ExampleNewTLS() {
	var (
		roots *x509.CertPool  // whom the client trusts; nil means the system's authorities
		cert  tls.Certificate // normally from tls.LoadX509KeyPair
	)
	client := credentials.NewTLS(&tls.Config{RootCAs: roots}) // for grpc.WithTransportCredentials
	server := credentials.NewServerTLSFromCert(&cert)         // for grpc.Creds
	fmt.Println(client.Info().SecurityProtocol, server.Info().SecurityProtocol)
	// Output: tls tls
}
